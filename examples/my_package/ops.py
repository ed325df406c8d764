"""A primitive of your own, which a spec names `my_package.ops:squeeze_excite` and genotypes `squeeze_excite`."""

from torch import Tensor, nn

from cellwright.nn.primitives import Norm, Primitive


class SqueezeExcite(Primitive):
    """A convolution whose channels are scaled by what their means say: https://arxiv.org/abs/1709.01507."""

    def __init__(self, channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        squeezed = max(1, channels // 4)
        self.convolution = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.norm = Norm(channels, affine)
        self.gate = nn.Sequential(
            nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, channels), nn.Sigmoid()
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the scaled map. Its input has passed a ReLU already, since `reads_relu` is left on."""
        y_BCHW = self.norm(self.convolution(x_BCHW))
        scaled: Tensor = y_BCHW * self.gate(y_BCHW.mean(dim=(2, 3)))[:, :, None, None]
        return scaled


def squeeze_excite(channels: int, stride: int, affine: bool) -> Primitive:
    """Build the primitive: `channels` in and out, sides divided by the stride, norms learning if `affine`."""
    return SqueezeExcite(channels, stride, affine)
