"""What every estimator must do, in every kind of space."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from cellwright.estimators.base import Estimator, Setting, build_estimator
from cellwright.estimators.cost import measure_cost
from cellwright.genotype import Genotype
from cellwright.nn.cost import count_macs, count_params
from cellwright.progress import Silent
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.spec import ESTIMATORS, EstimatorSection, SpaceSection
from cellwright.spec.estimators import COSTS

SECTIONS = [
    {"kind": "zero-cost", "reference": 4, "batch_size": 8},
    {
        "kind": "zero-cost",
        "reference": 4,
        "batch_size": 8,
        "side": 4,
        "proxies": ["synflow", "naswot", "params"],
    },
    {"kind": "latency", "networks": 10, "rounds": 5},
    {"kind": "shared-weights", "epochs": 1, "batch_size": 20},
    {"kind": "shared-weights", "epochs": 1, "batch_size": 30},
]


@pytest.fixture(params=SECTIONS, ids=lambda section: "-".join(map(str, section.values())))
def section(request: pytest.FixtureRequest) -> EstimatorSection:
    return ESTIMATORS.validate(request.param)


@pytest.fixture
def setting(space_section: SpaceSection, tiny_setting: Setting) -> Setting:
    return replace(tiny_setting, space=space_section, final_space=space_section)


@pytest.fixture
def genotypes(space_section: SpaceSection) -> list[Genotype]:
    space, rng = build_space(space_section), random.Random(0)
    return [space.sample(rng) for _ in range(3)]


@pytest.fixture
def estimator(section: EstimatorSection, setting: Setting, tmp_path: Path) -> Estimator:
    estimator = build_estimator(section, setting, seed=1)
    estimator.prepare(tmp_path, Silent())
    return estimator


def test_estimates_are_finite_named_as_declared_and_follow_from_the_seed(
    section: EstimatorSection,
    setting: Setting,
    estimator: Estimator,
    genotypes: list[Genotype],
    tmp_path: Path,
):
    found = [estimator.estimate(genotype, (), seed=3) for genotype in genotypes]
    assert all(tuple(metrics) == estimator.metrics == section.metrics for metrics in found)
    assert all(math.isfinite(value) for metrics in found for value in metrics.values())
    assert found == [estimator.estimate(genotype, (), seed=3) for genotype in genotypes]

    again = build_estimator(section, setting, seed=1)
    again.prepare(tmp_path, Silent())
    assert found == [again.estimate(genotype, (), seed=3) for genotype in genotypes]


def test_leaves_nothing_behind(
    section: EstimatorSection, setting: Setting, genotypes: list[Genotype], tmp_path: Path
):
    def state() -> tuple[object, ...]:
        return (
            torch.is_grad_enabled(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.random.get_rng_state().tolist(),
            random.getstate(),
            setting.train.inputs[0].tolist(),
        )

    before = state()
    estimator = build_estimator(section, setting, seed=1)
    estimator.prepare(tmp_path, Silent())
    estimator.estimate(genotypes[0], (), seed=3)
    assert state() == before


def test_costs_are_those_of_the_network_itself(setting: Setting, genotypes: list[Genotype]):
    for genotype in genotypes:
        cost = measure_cost(genotype, setting)
        network = build_network(setting.final_space, setting.task, genotype)
        assert tuple(cost) == COSTS
        assert cost["params"] == count_params(network)
        assert cost["macs"] == count_macs(network, setting.task.map_shape)
        assert 0 < cost["depth"] <= sum(isinstance(m, nn.Conv2d | nn.Linear) for m in network.modules())
        assert cost["memory_mb"] > 4e-6 * cost["params"]
