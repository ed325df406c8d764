"""The Dockerfiles below images/, read; tests/cluster builds and runs them."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.manifests.objects import ROOT

DOCKERFILES = sorted(ROOT.glob("images/*/Dockerfile"))


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.parent.name)
def dockerfile(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_the_last_stage_is_labelled_has_no_root_and_compiles_nothing(dockerfile):
    text = dockerfile.read_text()
    last = text[text.rindex("\nFROM ") :]
    assert {f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses")} <= set(
        re.findall(r"org\.[a-z.]+", last)
    )
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["1000"]
    assert not re.search(r"apt|gcc|build-essential", text)


def test_what_it_builds_on_is_pinned(dockerfile):
    stages = re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)
    assert set(stages) - {"scratch"} == {"python:3.11-slim-bookworm"}


def test_server_and_clients_have_the_same_mlflow():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [pinned] = [line for line in project["dependencies"] if line.startswith("mlflow")]
    assert f" {pinned} " in (ROOT / "images" / "mlflow" / "Dockerfile").read_text()


def test_make_builds_all():
    said = subprocess.run(["make", "-n", "images"], cwd=ROOT, check=True, capture_output=True, text=True)
    [names] = re.findall(r"for image in (.*); do", said.stdout)
    assert sorted(names.split()) == [path.parent.name for path in DOCKERFILES]
