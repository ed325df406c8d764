import importlib.util
import sys
from pathlib import Path

import pytest

from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps import code
from cellwright.steps.code import code_digest
from cellwright.steps.keys import step_code


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """A user's package, in which `used` leads to `deep.inner` and `lazy`, and to nothing else."""
    files = {
        "__init__.py": "",
        "used.py": "from typing import TYPE_CHECKING\nfrom .deep import inner\n"
        "if TYPE_CHECKING:\n    from mine_here import typed\n"
        "def run():\n    from mine_here.lazy import NAME\n",
        "deep/__init__.py": "",
        "deep/inner.py": "import json\n",
        "lazy.py": "NAME = 1\n",
        "typed.py": "",
        "apart.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "mine_here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "mine_here"
    sys.modules.pop("mine_here", None)


def digest_of_used() -> str:
    code_digest.cache_clear()
    code._imported.cache_clear()
    return code_digest(frozenset(["mine_here.used:run"]))


@pytest.mark.parametrize(
    ("changed", "matters"),
    [
        ("used.py", True),
        ("__init__.py", True),
        ("deep/__init__.py", True),
        ("deep/inner.py", True),
        ("lazy.py", True),
        ("typed.py", False),
        ("apart.py", False),
    ],
)
def test_the_code_that_is_imported_matters_and_no_other(package: Path, changed: str, matters: bool):
    before = digest_of_used()
    with (package / changed).open("a") as file:
        file.write("# changed\n")
    assert (digest_of_used() != before) == matters


def modules_of(step: str, **sections) -> set[str]:
    """The modules that a step's key digests."""
    spec = SearchSpec.model_validate({"name": "a", "data": {"source": "digits"}, **sections})
    found: set[str] = set()
    code_digest.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "digest", lambda pairs: found.update(name for name, _ in pairs))
        step_code(STEPS[step], spec)
    code_digest.cache_clear()
    return found


def test_the_code_of_the_kinds_that_a_spec_names_matters_and_no_other():
    darts = modules_of("search")
    chain = modules_of("search", space={"kind": "chain"}, strategy={"kind": "nsga2"})
    assert {"cellwright.spaces.darts.networks", "cellwright.strategies.one_shot.beta_darts.strategy"} <= darts
    assert "cellwright.spaces.chain.networks" not in darts
    assert {"cellwright.spaces.chain.networks", "cellwright.strategies.sampled.nsga2"} <= chain
    assert "cellwright.spaces.darts.networks" not in chain


def test_the_code_that_reads_the_data_and_that_of_the_task_matter():
    own = {"data": {"source": "my_package.spectra_section:SpectraSection", "path": "spectra.csv"}}
    assert {"my_package.spectra_section", "my_package.spectra"} <= modules_of("prepare", **own)
    assert "my_package.spectra" in modules_of("evaluate", **own)
    built_in = modules_of("prepare")
    assert "cellwright.tasks.images.sources.digits" in built_in
    assert not [name for name in built_in if name.startswith("my_package")]


@pytest.mark.parametrize("step", STEPS)
def test_neither_help_nor_another_step_s_code_matters(step: str):
    modules = modules_of(step)
    assert f"cellwright.steps.{step}" in modules
    others = {f"cellwright.steps.{name}" for name in STEPS if name != step}
    assert not modules & {"cellwright.step_list", *others}
    assert not [name for name in modules if name.startswith("cellwright.cli")]


def test_every_module_that_is_digested_is_one():
    for name in modules_of("register"):
        assert importlib.util.find_spec(name) is not None
