"""The primitives of the cell spaces as modules, by name.

Shapes: B batch, C channels, H height, W width. A primitive takes `x_BCHW` and keeps the `C` channels; height and
width are divided by the stride.

Convolutions do not start with a ReLU. Instead, the cell applies one ReLU to each feature map and passes the result to
every primitive that `reads_relu`, which gives the same function at a fraction of the cost.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.importing import load_object
from cellwright.nn.depthwise import Separable
from cellwright.nn.halving import halve
from cellwright.spec.space import primitive_name


class Norm(nn.BatchNorm2d):
    """Batch normalisation with PyTorch's default momentum and epsilon; without `affine`, it only standardises."""

    momentum: float

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__(channels, affine=affine)

    def forward(self, x_BCHW: Tensor, factor_C: Tensor | None = None) -> Tensor:
        """Return the normalised map, with each channel multiplied by its factor; the factor must be contiguous.

        The factor is free here, and the map before scaling need not be kept for the gradient.
        """
        scale: Tensor | None = self.weight
        shift: Tensor | None = self.bias
        if factor_C is not None:
            scale = factor_C if scale is None else factor_C * scale
            shift = None if shift is None else factor_C * shift
        return functional.batch_norm(
            x_BCHW, self.running_mean, self.running_var, scale, shift, self.training, self.momentum, self.eps
        )


class Primitive(nn.Module):
    """The operation on an edge."""

    reads_relu: bool = True
    """Whether the input is the feature map after ReLU, not the map itself."""
    has_weights: bool = True
    """Whether the primitive has weights; without weights, its output is the same on every edge from one source."""

    def times(self, factor_C: Tensor | None, x_BCHW: Tensor) -> Tensor:
        """Return the output with each channel multiplied by its factor (None: 1). The caller may overwrite it."""
        output: Tensor = self(x_BCHW)
        return output.clone() if factor_C is None else factor_C.view(-1, 1, 1) * output


class Identity(Primitive):
    """Returns the feature map unchanged."""

    reads_relu = False
    has_weights = False

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input."""
        return x_BCHW


class Pool(Primitive):
    """3×3 max or average pooling, then standardisation, as in the search phase of DARTS."""

    reads_relu = False
    has_weights = False

    def __init__(self, kind: str, channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.has_weights = affine
        self.pool = (
            nn.MaxPool2d(3, stride, padding=1)
            if kind == "max"
            else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        )
        self.norm = Norm(channels, affine)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the pooled and standardised map."""
        pooled: Tensor = self.norm(self.pool(x_BCHW))
        return pooled


class Convolutions(Primitive):
    """A stack of convolutions and norms that ends in a norm."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.kind = repr(self.layers) if all(map(_can_be_widened, self.layers)) else None
        """Primitives of the same kind can be computed as one (`nn.wide`); None if this primitive cannot."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the convolved feature map."""
        convolved: Tensor = self.layers(x_BCHW)
        return convolved

    def times(self, factor_C: Tensor | None, x_BCHW: Tensor) -> Tensor:
        """Return the convolved map with each channel multiplied by its factor, which the norm applies."""
        *before, norm = self.layers
        for layer in before:
            x_BCHW = layer(x_BCHW)
        scaled: Tensor = norm(x_BCHW, factor_C)
        return scaled


class FactorizedReduce(Primitive):
    """Halves height and width by two 1×1 convolutions with stride 2, the second shifted by one pixel."""

    def __init__(self, in_channels: int, channels: int, affine: bool) -> None:
        super().__init__()
        half = channels // 2
        self.even = nn.Conv2d(in_channels, half, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_channels, channels - half, 1, stride=2, bias=False)
        self.norm = Norm(channels, affine)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map at half the resolution; odd sizes are rounded up."""
        reduced: Tensor = self.norm(self._halve(x_BCHW))
        return reduced

    def times(self, factor_C: Tensor | None, x_BCHW: Tensor) -> Tensor:
        """Return the reduced map with each channel multiplied by its factor, which the norm applies."""
        scaled: Tensor = self.norm(self._halve(x_BCHW), factor_C)
        return scaled

    def _halve(self, x_BCHW: Tensor) -> Tensor:
        learns = self.training and torch.is_grad_enabled()
        return halve(x_BCHW, self.even.weight, self.odd.weight, learns)


def _can_be_widened(layer: nn.Module) -> bool:
    match layer:
        case Separable() | nn.ReLU():
            return True
        case nn.Conv2d():
            return layer.bias is None and layer.padding_mode == "zeros"
        case Norm():
            return not layer.affine
    return False


def conv_norm(in_channels: int, channels: int, affine: bool) -> nn.Sequential:
    """Return the 1×1 convolution that maps a cell's input to the cell's number of channels."""
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, bias=False), Norm(channels, affine))


def _separable(size: int) -> "PrimitiveFactory":
    return lambda channels, stride, affine: Convolutions(
        Separable(channels, size, stride),
        Norm(channels, affine),
        nn.ReLU(inplace=True),
        Separable(channels, size, 1),
        Norm(channels, affine),
    )


def _dilated(size: int) -> "PrimitiveFactory":
    return lambda channels, stride, affine: Convolutions(
        Separable(channels, size, stride, dilation=2), Norm(channels, affine)
    )


def _plain(size: int) -> "PrimitiveFactory":
    return lambda channels, stride, affine: Convolutions(
        nn.Conv2d(channels, channels, size, stride, padding=size // 2, bias=False), Norm(channels, affine)
    )


def _skip(channels: int, stride: int, affine: bool) -> Primitive:
    return Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)


PrimitiveFactory = Callable[[int, int, bool], Primitive]
"""Builds a primitive from channels, stride, and whether norms learn a scale and shift."""

PRIMITIVES: dict[str, PrimitiveFactory] = {
    "max_pool_3x3": lambda channels, stride, affine: Pool("max", channels, stride, affine),
    "avg_pool_3x3": lambda channels, stride, affine: Pool("avg", channels, stride, affine),
    "skip_connect": _skip,
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
    "nor_conv_1x1": _plain(1),
    "nor_conv_3x3": _plain(3),
    "nor_conv_5x5": _plain(5),
}


def load_primitives(references: Iterable[str]) -> dict[str, PrimitiveFactory]:
    """Return primitives by name, importing references of the form `MODULE:NAME`.

    Raises:
        CellwrightError: a primitive cannot be imported.
    """
    return {
        primitive_name(reference): load_object(reference) if ":" in reference else PRIMITIVES[reference]
        for reference in references
    }
