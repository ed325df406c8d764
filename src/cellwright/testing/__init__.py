"""Contract tests for your own kinds, which the built-in kinds also pass. They need pytest."""

from cellwright.testing.estimator import EstimatorContract
from cellwright.testing.one_shot import DifferentiableContract, OneShotContract
from cellwright.testing.runner import RunnerContract
from cellwright.testing.sampled import SampledContract
from cellwright.testing.space import SpaceContract
from cellwright.testing.store import StoreContract
from cellwright.testing.task import SourceContract, TaskContract

__all__ = [
    "DifferentiableContract",
    "EstimatorContract",
    "OneShotContract",
    "RunnerContract",
    "SampledContract",
    "SourceContract",
    "SpaceContract",
    "StoreContract",
    "TaskContract",
]
