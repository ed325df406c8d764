"""Every family takes a kind from a package of the user's, and one line makes a kind built in."""

import json
from pathlib import Path
from typing import Any

import pytest

from cellwright.importing import load_object
from cellwright.spec import SearchSpec, families
from cellwright.spec.family import Family
from cellwright.spec.task import TaskFamily
from cellwright.stores import open_store

EXAMPLES = Path(__file__).parents[2] / "examples"
FAMILIES: dict[str, Family[Any]] = {
    name: family for name, family in vars(families).items() if isinstance(family, Family)
}
OWN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a data source": (
        "SOURCES",
        "my_package.spectra_section:SpectraSection",
        {"path": EXAMPLES / "spectra.csv"},
    ),
    "a task": ("TASKS", "my_package.spectra_section:SpectraAugment", {}),
    "a space": ("SPACES", "my_package.spaces:ActivationsSection", {}),
    "a sampled strategy": ("STRATEGIES", "my_package.strategies:HillClimbingSection", {}),
    "a one-shot strategy": ("STRATEGIES", "custom_strategy:SnasSection", {}),
    "an estimator": ("ESTIMATORS", "my_package.estimators_section:SmoothnessSection", {}),
    "a runner": ("RUNNERS", "my_package.runners:InProcessSection", {}),
}
STORE = "my_package.stores:SqliteStore"


@pytest.fixture(autouse=True)
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)


def validated(family: Family[Any], kind: str, keys: dict[str, Any]) -> Any:
    """Return the section of a kind; that of a task is named by the data, not by a key of its own."""
    named = {} if isinstance(family, TaskFamily) else {family.tag: kind}
    return family.section_type(kind).model_validate({**named, **keys})


def test_the_kinds_here_are_of_all_families():
    assert {name for name, _, _ in OWN.values()} == FAMILIES.keys()


@pytest.mark.parametrize("what", OWN)
def test_a_kind_comes_from_a_package_of_the_users(what: str):
    name, path, keys = OWN[what]
    section = validated(FAMILIES[name], path, keys)
    assert section.imports == section.code
    assert all(load_object(place) for place in section.code)


def test_one_line_makes_a_kind_built_in(monkeypatch: pytest.MonkeyPatch):
    """The line is that of the family: the section, its kinds in the schema, and the choices of messages follow."""
    for number, (name, path, keys) in enumerate(OWN.values()):
        kinds = {**FAMILIES[name].kinds, f"own-{number}": path}
        monkeypatch.setattr(FAMILIES[name], "kinds", kinds)
        assert type(validated(FAMILIES[name], f"own-{number}", keys)) is load_object(path)
    schema = json.dumps(SearchSpec.model_json_schema())
    for _, path, _ in OWN.values():
        assert path.partition(":")[2] in schema


def test_a_store_comes_from_a_package_of_the_users_or_from_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stores = [open_store(f"sqlite://{tmp_path / 'own.db'}", kind=STORE)]
    monkeypatch.setitem(families.STORES, "sqlite", STORE)
    stores.append(open_store(f"sqlite://{tmp_path / 'built_in.db'}"))
    assert [type(store) for store in stores] == [load_object(STORE)] * 2
