"""Zero-cost proxies, which estimate from an untrained network how well it would learn.

Each is a function of an initialised network and a probe. A higher result is better.
"""

from collections.abc import Callable, Mapping

from torch import nn

from cellwright.estimators.zero_cost.az_nas import expressivity, progressivity, trainability
from cellwright.estimators.zero_cost.fusion import fuse_among
from cellwright.estimators.zero_cost.patterns import naswot, swap
from cellwright.estimators.zero_cost.probe import Probe
from cellwright.estimators.zero_cost.section import Proxy
from cellwright.estimators.zero_cost.size import macs, params
from cellwright.estimators.zero_cost.synflow import synflow
from cellwright.estimators.zero_cost.zico import zico

PROXIES: Mapping[Proxy, Callable[[nn.Module, Probe], float]] = {
    "naswot": naswot,
    "zico": zico,
    "expressivity": expressivity,
    "progressivity": progressivity,
    "trainability": trainability,
    "macs": macs,
    "synflow": synflow,
    "swap": swap,
    "params": params,
}

__all__ = ["PROXIES", "Probe", "fuse_among"]
