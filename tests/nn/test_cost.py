import torch
from torch import nn

from cellwright.nn.cost import count_macs, count_params, measure_latency


def test_parameters_and_macs_by_hand():
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 64, 3)
    )
    assert count_params(network) == 2 * 4 * 9 + 4 + 4 + 4 * 64 * 3 + 3
    assert count_macs(network, (torch.zeros(1, 2, 8, 8),)) == 2 * 4 * 9 * 64 + 4 * 64 * 3


def test_frozen_parameters_are_not_counted():
    network = nn.Linear(3, 2)
    network.bias.requires_grad_(False)
    assert count_params(network) == 6


def test_counting_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count_macs(network, (torch.zeros(1, 1, 8, 8),))
    assert network.training
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())


def test_latencies_are_as_many_as_asked_for_and_sorted():
    times = measure_latency(nn.Conv2d(1, 1, 3), (torch.zeros(2, 1, 8, 8),), repeats=7, warmup=1)
    assert len(times) == 7
    assert times == sorted(times)
    assert times[0] > 0
