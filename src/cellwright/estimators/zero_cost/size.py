"""Proxies that count parameters and operations."""

from torch import nn

from cellwright.estimators.zero_cost.probe import Probe
from cellwright.nn.cost import count_macs, count_params


def params(network: nn.Module, probe: Probe) -> float:
    """Return the number of trainable parameters."""
    return float(count_params(network))


def macs(network: nn.Module, probe: Probe) -> float:
    """Return the multiply-accumulates of one example, which are AZ-NAS's complexity."""
    return float(count_macs(network, [tensor[:1] for tensor in probe.inputs]))
