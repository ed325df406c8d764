import random

import pytest
import torch
from torch import Tensor, nn

from cellwright.nn.trace import Cost, trace
from cellwright.spaces import build_space
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.networks import build_network, trace_genotype
from cellwright.tasks.images.task import ImageClassification


class Residual(nn.Module):
    """Two convolutions beside a third, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.second = nn.Conv2d(4, 4, 1, bias=False)
        self.shortcut = nn.Conv2d(2, 4, 1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(4, 3)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        deep = self.second(torch.relu_(self.norm(self.first(x_BCHW))))
        return self.classifier((deep + self.shortcut(x_BCHW)).mean(dim=(2, 3)))


def test_a_small_network_by_hand(tiny_task: ImageClassification):
    with torch.device("meta"):
        network = Residual()
    image, map_ = 2 * 64, 4 * 64
    weights = 2 * 4 * 9 + 4 * 4 + 2 * 4 + 2 * 4 + 4 * 3 + 3
    statistics = 2 * 4  # and the count of batches, an int64
    # the most lives while the shortcut is added: the image, the deep map, the shortcut's, and their sum
    most = weights + statistics + image + 3 * map_
    assert trace(network, tiny_task.example(1, device="meta")) == Cost(
        params=weights,
        macs=64 * (2 * 4 * 9 + 4 * 4 + 2 * 4) + 4 * 3,
        depth=3,
        memory_bytes=4 * most + 8,
    )


def test_depth_is_that_of_the_longest_path_whatever_ran_last(tiny_task: ImageClassification):
    class Late(Residual):
        def forward(self, x_BCHW: Tensor) -> Tensor:
            deep = self.second(self.first(x_BCHW))
            shallow = self.shortcut(x_BCHW)
            shallow += deep
            return self.classifier(torch.cat([shallow[:, :1], shallow[:, 1:]], dim=1).mean(dim=(2, 3)))

    with torch.device("meta"):
        assert trace(Late(), tiny_task.example(1, device="meta")).depth == 3


def test_memory_agrees_with_what_is_allocated(tiny_task: ImageClassification):
    """Where torch counts allocations, here by its profiler, they peak as high."""
    section = DartsSection(num_nodes=2, num_cells=3, channels=8)
    genotype = build_space(section).sample(random.Random(0))
    network = build_network(section, tiny_task, genotype).eval()
    resident = sum(t.numel() * t.element_size() for t in (*network.parameters(), *network.buffers()))
    image = torch.zeros(1, *tiny_task.map_shape)
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profiler:
        network(image)
    live = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    expected = resident + image.numel() * 4 + peak
    assert trace_genotype(section, tiny_task, genotype).memory_bytes == pytest.approx(expected, rel=0.05)
