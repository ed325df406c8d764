from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cellwright.errors import CellwrightError
from cellwright.spec import OneShotSection, load_spec
from cellwright.testing import DifferentiableContract

SECTION = "strategy: {{kind: '{path}'{settings}}}"


class TestSnas(DifferentiableContract):
    @pytest.fixture(scope="class")
    @classmethod
    def section(cls) -> Mapping[str, Any]:
        return {"kind": "custom_strategy:SnasSection"}


def load(folder: Path, path: str, settings: str):
    spec_file = folder / "search.yaml"
    section = SECTION.format(path=path, settings=settings)
    spec_file.write_text(f"name: own\ndata: {{source: digits}}\n{section}\n")
    return load_spec(spec_file).strategy


def test_a_spec_names_class_and_settings(tmp_path: Path):
    section = load(tmp_path, "custom_strategy:SnasSection", ", temperature: 1.5, alpha_learning_rate: 0.01")
    assert isinstance(section, OneShotSection)
    assert section.implementation == "custom_strategy:Snas"
    assert section.temperature == 1.5
    assert section.alpha_learning_rate == 0.01


@pytest.mark.parametrize(
    ("path", "settings", "problem"),
    [
        ("custom_strategy", "", "strategy.kind: must be one of 'darts'"),
        ("no_such_module:Snas", "", "no_such_module:Snas: cannot find no_such_module"),
        ("custom_strategy:Sans", "", "must have the name 'Sans', and has not"),
        ("custom_strategy:Snas", "", "must be a subclass of cellwright.spec.strategy.StrategySection"),
        (
            "custom_strategy:SnasSection",
            ", temprature: 2",
            "temprature: unknown key; did you mean 'temperature'",
        ),
        ("custom_strategy:SnasSection", ", temperature: 0", "strategy.temperature: must be greater than 0"),
        ("custom", ", path: a", "strategy: custom is now the import path of a section"),
    ],
)
def test_errors_in_own_strategies_are_named(tmp_path: Path, path: str, settings: str, problem: str):
    with pytest.raises(CellwrightError) as caught:
        load(tmp_path, path, settings)
    assert problem in str(caught.value)
