"""The yardstick: a DARTS supernet and its bilevel search as textbooks write them, in the manner of 2018.

Every operation on every edge computes everything on its own (ReLU, pooling, batch normalisation), images lie with
channels first, autograd goes through everything, and the alpha step computes the gradients of all weights as well.
It shares no code with the supernet that it measures, but has the same parameters in the same order.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def relu_conv_bn(
    in_channels: int, channels: int, size: int, stride: int, dilation: int, groups: int
) -> list[nn.Module]:
    padding = dilation * (size - 1) // 2
    return [
        nn.ReLU(inplace=False),
        nn.Conv2d(in_channels, in_channels, size, stride, padding, dilation, groups=groups, bias=False),
        nn.Conv2d(in_channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=False),
    ]


class ReluConvBN(nn.Sequential):
    def __init__(self, in_channels: int, channels: int) -> None:
        conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        super().__init__(nn.ReLU(inplace=False), conv, nn.BatchNorm2d(channels, affine=False))


class DilConv(nn.Sequential):
    def __init__(self, channels: int, size: int, stride: int) -> None:
        super().__init__(*relu_conv_bn(channels, channels, size, stride, 2, channels))


class SepConv(nn.Sequential):
    def __init__(self, channels: int, size: int, stride: int) -> None:
        super().__init__(
            *relu_conv_bn(channels, channels, size, stride, 1, channels),
            *relu_conv_bn(channels, channels, size, 1, 1, channels),
        )


class FactorizedReduce(nn.Module):
    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=False)
        self.even = nn.Conv2d(in_channels, channels // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_channels, channels - channels // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(channels, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.bn(torch.cat([self.even(x), self.odd(shifted)], dim=1))


def pool(kind: str, channels: int, stride: int) -> nn.Module:
    layer = (
        nn.MaxPool2d(3, stride, padding=1)
        if kind == "max"
        else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    )
    return nn.Sequential(layer, nn.BatchNorm2d(channels, affine=False))


OPS = {
    "max_pool_3x3": lambda channels, stride: pool("max", channels, stride),
    "avg_pool_3x3": lambda channels, stride: pool("avg", channels, stride),
    "skip_connect": lambda channels, stride: (
        nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    ),
    "sep_conv_3x3": lambda channels, stride: SepConv(channels, 3, stride),
    "sep_conv_5x5": lambda channels, stride: SepConv(channels, 5, stride),
    "dil_conv_3x3": lambda channels, stride: DilConv(channels, 3, stride),
    "dil_conv_5x5": lambda channels, stride: DilConv(channels, 5, stride),
}


class MixedOp(nn.Module):
    def __init__(self, primitives: Sequence[str], channels: int, stride: int) -> None:
        super().__init__()
        self.ops = nn.ModuleList(OPS[name](channels, stride) for name in primitives)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return sum(w * op(x) for w, op in zip(weights, self.ops, strict=True))


class Cell(nn.Module):
    def __init__(self, primitives: Sequence[str], num_nodes: int, channels: int, reduces: bool) -> None:
        super().__init__()
        self.num_nodes = num_nodes
        self.edges = nn.ModuleList(
            MixedOp(primitives, channels, 2 if reduces and source < 2 else 1)
            for node in range(num_nodes)
            for source in range(2 + node)
        )

    def forward(self, older: Tensor, newer: Tensor, weights: Tensor) -> Tensor:
        states = [older, newer]
        offset = 0
        for _ in range(self.num_nodes):
            node = sum(self.edges[offset + j](h, weights[offset + j]) for j, h in enumerate(states))
            offset += len(states)
            states.append(node)
        return torch.cat(states[2:], dim=1)


class TextbookSupernet(nn.Module):
    """Takes images that are standardised already."""

    def __init__(
        self,
        image_channels: int,
        num_classes: int,
        primitives: Sequence[str],
        *,
        num_nodes: int,
        num_cells: int,
        channels: int,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels)
        )
        self.preprocess = nn.ModuleList()
        cells = []
        self.reduces = [
            num_cells > 1 and index in (num_cells // 3, 2 * num_cells // 3) for index in range(num_cells)
        ]
        older, newer, halved = 3 * channels, 3 * channels, False
        for reduces in self.reduces:
            channels = 2 * channels if reduces else channels
            first = FactorizedReduce(older, channels) if halved else ReluConvBN(older, channels)
            self.preprocess.append(nn.ModuleList([first, ReluConvBN(newer, channels)]))
            cells.append(Cell(primitives, num_nodes, channels, reduces))
            older, newer, halved = newer, num_nodes * channels, reduces
        self.classifier = nn.Linear(newer, num_classes)
        self.cells = nn.ModuleList(cells)
        shape = (sum(2 + node for node in range(num_nodes)), len(primitives))
        self.alphas = {kind: nn.Parameter(1e-3 * torch.randn(shape)) for kind in ("normal", "reduce")}

    def forward(self, x: Tensor) -> Tensor:
        older = newer = self.stem(x)
        for reduces, preprocess, cell in zip(self.reduces, self.preprocess, self.cells, strict=True):
            weights = functional.softmax(self.alphas["reduce" if reduces else "normal"], dim=-1)
            first, second = preprocess.children()
            older, newer = newer, cell(first(older), second(newer), weights)
        return self.classifier(functional.adaptive_avg_pool2d(newer, 1).flatten(1))

    @torch.no_grad()
    def start_from(self, weights: Sequence[Tensor], alphas: Mapping[str, Tensor]) -> None:
        """Take over the weights, in the order of `parameters`, and the alphas."""
        for mine, given in zip(self.parameters(), weights, strict=True):
            mine.copy_(given)
        for kind, alpha in self.alphas.items():
            alpha.data = alpha.data.to(alphas[kind].dtype)
            alpha.copy_(alphas[kind])


class TextbookSearch:
    """First-order bilevel search: an alpha step on validation data, then a weight step on training data."""

    def __init__(
        self, net: TextbookSupernet, *, learning_rate: float = 0.05, alpha_learning_rate: float = 3e-3
    ) -> None:
        self.net = net
        self.weight_optimizer = torch.optim.SGD(
            net.parameters(), lr=learning_rate, momentum=0.9, weight_decay=3e-4
        )
        self.alpha_optimizer = torch.optim.Adam(
            list(net.alphas.values()), lr=alpha_learning_rate, betas=(0.5, 0.999), weight_decay=1e-3
        )

    def step(self, train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]) -> None:
        self.alpha_optimizer.zero_grad()
        functional.cross_entropy(self.net(validation[0]), validation[1]).backward()
        self.alpha_optimizer.step()
        self.alpha_gradients = {
            kind: alpha.grad.clone() for kind, alpha in self.net.alphas.items() if alpha.grad is not None
        }
        self.weight_optimizer.zero_grad()
        functional.cross_entropy(self.net(train[0]), train[1]).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.weight_optimizer.step()
