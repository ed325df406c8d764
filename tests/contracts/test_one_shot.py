"""What every one-shot strategy must do."""

from collections.abc import Mapping
from typing import Any

import pytest

from cellwright.spaces.chain.section import ChainSection
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spec import SpaceSection
from cellwright.testing import DifferentiableContract, OneShotContract

DIFFERENTIABLE = [
    {"kind": "darts"},
    {"kind": "darts", "level": "single"},
    {"kind": "darts", "order": "second"},
    {"kind": "beta-darts"},
    {"kind": "beta-darts", "level": "bilevel", "warmup": 0.4},
    {"kind": "pc-darts", "channel_fraction": 0.5, "derivation": "perturbation", "tuning_steps": 1},
    {"kind": "gdas"},
    {"kind": "drnas"},
    {"kind": "drnas", "level": "bilevel"},
]
SINGLE_PATH = [
    {"kind": "spos", "population": 4, "generations": 2, "parents": 2},
    {"kind": "random-ws", "candidates": 8},
    {"kind": "enas", "hidden": 8, "controller_steps": 2, "samples": 2, "candidates": 5},
]
PC_DARTS = [{"kind": "pc-darts", "channel_fraction": 0.5}]
ALL_KINDS_BUT_PC_DARTS = [
    {"kind": "darts"},
    {"kind": "darts", "order": "second"},
    {"kind": "beta-darts"},
    {"kind": "gdas"},
    {"kind": "drnas"},
]
"""Partial channels are for cells alone."""
OTHER_SPACES: list[SpaceSection] = [
    NasBench201Section(kind="nasbench201", num_cells=1, channels=4),
    ChainSection(
        kind="chain", primitives=("nor_conv_1x1", "nor_conv_3x3"), widths=(50, 100), num_layers=3, channels=8
    ),
]


def named(section: Mapping[str, Any]) -> str:
    return "-".join(str(value) for value in section.values() if isinstance(value, str))


class TestDifferentiable(DifferentiableContract):
    @pytest.fixture(params=DIFFERENTIABLE, ids=named, scope="class")
    @classmethod
    def section(cls, request: pytest.FixtureRequest) -> Mapping[str, Any]:
        return request.param


class TestSinglePath(OneShotContract):
    @pytest.fixture(params=SINGLE_PATH, ids=named, scope="class")
    @classmethod
    def section(cls, request: pytest.FixtureRequest) -> Mapping[str, Any]:
        return request.param


class InOtherSpaces:
    """Guards compare numbers of epochs, in which no space takes part."""

    test_a_guard_stops_at_the_last_good_epoch = None
    test_a_guard_with_no_good_epoch_to_go_back_to_resets_the_alphas = None
    test_a_guard_raises_the_regularisation = None

    @pytest.fixture(params=OTHER_SPACES, ids=lambda space: space.kind, scope="class")
    @classmethod
    def space(cls, request: pytest.FixtureRequest) -> SpaceSection:
        return request.param


class TestDifferentiableInOtherSpaces(InOtherSpaces, DifferentiableContract):
    @pytest.fixture(params=ALL_KINDS_BUT_PC_DARTS, ids=named, scope="class")
    @classmethod
    def section(cls, request: pytest.FixtureRequest) -> Mapping[str, Any]:
        return request.param


class TestPartialChannelsOfNasBench201(DifferentiableContract):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> SpaceSection:
        return OTHER_SPACES[0]

    @pytest.fixture(params=PC_DARTS, ids=named, scope="class")
    @classmethod
    def section(cls, request: pytest.FixtureRequest) -> Mapping[str, Any]:
        return request.param


class TestSinglePathInOtherSpaces(InOtherSpaces, TestSinglePath):
    pass
