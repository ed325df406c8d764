"""What every estimator must do, in every kind of space."""

import random
from dataclasses import replace

import pytest
from torch import nn

from cellwright.estimators.base import Setting
from cellwright.estimators.cost import measure_cost
from cellwright.genotype import Genotype
from cellwright.nn.cost import count_macs, count_params
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.spec import ESTIMATORS, EstimatorSection, SpaceSection
from cellwright.spec.estimators import COSTS
from cellwright.testing import EstimatorContract

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
    {"kind": "my_package.estimators_section:SmoothnessSection"},
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


class TestEstimators(EstimatorContract):
    @pytest.fixture
    def section(self, section: EstimatorSection) -> EstimatorSection:
        return section

    @pytest.fixture
    def setting(self, setting: Setting, section: EstimatorSection) -> Setting:
        if section.kind == "shared-weights" and not setting.space.has_supernet:
            pytest.skip(f"space.kind {setting.space.kind} has no supernet, and a spec with both is refused")
        return setting


def test_costs_are_those_of_the_network_itself(setting: Setting, genotypes: list[Genotype]):
    for genotype in genotypes:
        cost = measure_cost(genotype, setting)
        network = build_network(setting.final_space, setting.task, genotype)
        assert tuple(cost) == COSTS
        assert cost["params"] == count_params(network)
        assert cost["macs"] == count_macs(network, setting.task.example(1))
        assert (
            0
            < cost["depth"]
            <= sum(isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear) for m in network.modules())
        )
        assert cost["memory_mb"] > 4e-6 * cost["params"]
