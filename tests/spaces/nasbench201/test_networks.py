"""The networks are those of the benchmark: published sizes, in millions of parameters and of multiply-accumulates."""

import pytest
import torch

from cellwright.nn.cost import count_macs, count_params
from cellwright.spaces import CELL
from cellwright.spaces.nasbench201.networks import NasBench201Network
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.testing.images import numbered_images

IMAGE = (torch.zeros(1, 3, 32, 32),)


def network(cell: str, num_classes: int) -> NasBench201Network:
    task = numbered_images((3, 32, 32), num_classes)
    genotype = NasBench201().genotype({CELL: [int(choice) for choice in cell]})
    return NasBench201Network(task, genotype, num_cells=5, channels=16)


@pytest.mark.parametrize(
    ("cell", "num_classes", "millions"),
    [
        ("333333", 10, 1.531546),
        ("333333", 100, 1.537396),
        ("333333", 120, 1.538696),
        ("222222", 10, 0.241306),
        ("000000", 10, 0.073306),
        ("111111", 120, 0.080456),
        ("444444", 100, 0.079156),
        ("433444", 10, 0.559386),
        ("000300", 10, 0.316346),
        ("334131", 10, 0.802426),
        ("421211", 10, 0.129306),
    ],
)
def test_as_many_parameters_as_published(cell: str, num_classes: int, millions: float):
    with torch.device("meta"):
        assert count_params(network(cell, num_classes)) == round(1e6 * millions)


def test_as_many_multiply_accumulates_as_published():
    assert count_macs(network("333333", 10), IMAGE) == pytest.approx(220.12e6, rel=1e-4)
    assert count_macs(network("000000", 10), IMAGE) == pytest.approx(7.78e6, rel=1e-3)
