"""A genotype's network as one writes it by hand with torch: the twin that retraining is measured beside."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.textbook import OPS, FactorizedReduce, ReluConvBN
from cellwright.genotype import Cell, Genotype
from cellwright.training.precision import channels_last


class HandwrittenCell(nn.Module):
    def __init__(self, cell: Cell, channels: int, reduces: bool) -> None:
        super().__init__()
        self.nodes = [[edge.source for edge in node] for node in cell.nodes]
        self.ops = nn.ModuleList(
            OPS[edge.primitive](channels, 2 if reduces and edge.source < 2 else 1)
            for node in cell.nodes
            for edge in node
        )

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        states, ops = [older, newer], iter(self.ops)
        for sources in self.nodes:
            states.append(sum(next(ops)(states[source]) for source in sources))
        return torch.cat(states[2:], dim=1)


class HandwrittenNetwork(nn.Module):
    def __init__(
        self, image_channels: int, num_classes: int, genotype: Genotype, *, num_cells: int, channels: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels)
        )
        self.preprocess, self.cells = nn.ModuleList(), nn.ModuleList()
        older, newer, halved = 3 * channels, 3 * channels, False
        for index in range(num_cells):
            reduces = index in (num_cells // 3, 2 * num_cells // 3)
            channels = 2 * channels if reduces else channels
            first = FactorizedReduce(older, channels) if halved else ReluConvBN(older, channels)
            self.preprocess.append(nn.ModuleList([first, ReluConvBN(newer, channels)]))
            cell = genotype.cells["reduce" if reduces else "normal"]
            self.cells.append(HandwrittenCell(cell, channels, reduces))
            older, newer, halved = newer, len(cell.nodes) * channels, reduces
        self.classifier = nn.Linear(newer, num_classes)
        _learn_scales(self)

    def forward(self, x: Tensor) -> Tensor:
        older = newer = self.stem(x)
        for preprocess, cell in zip(self.preprocess, self.cells, strict=True):
            first, second = preprocess.children()
            older, newer = newer, cell(first(older), second(newer))
        return self.classifier(functional.adaptive_avg_pool2d(newer, 1).flatten(1))


def _learn_scales(module: nn.Module) -> None:
    """Give every batch normalisation a scale and a shift, as a network that is trained from scratch has."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.BatchNorm2d(child.num_features))
        else:
            _learn_scales(child)


class HandwrittenTraining:
    def __init__(self, net: nn.Module, images: Tensor, labels: Tensor, batch_size: int) -> None:
        self.net = channels_last(net)
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.05, fused=True)

    def train_epoch(self) -> None:
        self.net.train()
        for chosen in torch.randperm(len(self.labels)).split(self.batch_size):
            x = self.images[chosen].to(memory_format=torch.channels_last)
            loss = functional.cross_entropy(self.net(x), self.labels[chosen], label_smoothing=0.1)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
            self.optimizer.step()
