from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cellwright.errors import CellwrightError
from cellwright.spec import Augment, load_spec
from cellwright.strategies.one_shot import build_strategy
from cellwright.testing import DifferentiableContract

SECTION = "strategy: {{kind: custom, path: '{path}', settings: {settings}}}"


class TestSnas(DifferentiableContract):
    @pytest.fixture(scope="class")
    @classmethod
    def section(cls) -> Mapping[str, Any]:
        return {"kind": "custom", "path": "custom_strategy:Snas"}


def build(folder: Path, path: str, settings: str):
    spec_file = folder / "search.yaml"
    section = SECTION.format(path=path, settings=settings)
    spec_file.write_text(f"name: own\ndata: {{source: digits}}\n{section}\n")
    return build_strategy(load_spec(spec_file).strategy, Augment(), seed=0)


def test_a_spec_names_class_and_settings(tmp_path: Path):
    strategy = build(tmp_path, "custom_strategy:Snas", "{temperature: 1.5, alpha_learning_rate: 0.01}")
    assert strategy.settings.temperature == 1.5
    assert strategy.settings.alpha_learning_rate == 0.01


@pytest.mark.parametrize(
    ("path", "settings", "mistake"),
    [
        ("custom_strategy", "{}", "strategy.path: must match pattern"),
        ("no_such_module:Snas", "{}", "no_such_module:Snas: cannot find no_such_module"),
        ("custom_strategy:Sans", "{}", "must have the name 'Sans', and has not"),
        (
            "custom_strategy:SnasSettings",
            "{}",
            "must be a subclass of cellwright.strategies.one_shot.base.OneShotStrategy",
        ),
        ("custom_strategy:Snas", "{temprature: 2}", "strategy.settings.temprature: Extra inputs"),
        ("custom_strategy:Snas", "{temperature: 0}", "strategy.settings.temperature: Input should be"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, path: str, settings: str, mistake: str):
    with pytest.raises(CellwrightError) as caught:
        build(tmp_path, path, settings)
    assert mistake in str(caught.value)
