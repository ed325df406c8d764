"""The Dockerfiles below images/, read; tests/cluster builds and runs them."""

import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.manifests.objects import ROOT

DOCKERFILES = sorted(ROOT.glob("images/*/Dockerfile"))
REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))


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


def test_what_it_builds_on_is_pinned_and_can_be_a_digest(dockerfile):
    text = dockerfile.read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert set(stages) - {"scratch"} == {"${PYTHON}"}
    assert re.findall(r"^ARG (.*)$", text, re.MULTILINE) == ["PYTHON=python:3.11-slim-bookworm"]


def test_every_package_in_it_is_locked_with_its_hash(dockerfile):
    text = dockerfile.read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?install .*?(?= && |\n)", text)
    assert len(installs) >= 1
    for words in installs:
        assert "--require-hashes --requirement" in words or "--no-deps" in words, words


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_a_hash_for_every_package(lock):
    pins = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE))
    assert pins and all(
        re.match(r"[a-z0-9._-]+==\S+ .*\n    --hash=sha256:[0-9a-f]{64}", pin) for pin in pins
    )


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def test_the_lock_has_all_that_the_project_and_its_tests_need():
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = whole["project"]
    runs = [*project["dependencies"], *project["optional-dependencies"]["nasbench201"]]
    for lock, needed in (("cellwright", runs), ("dev", [*runs, *whole["dependency-groups"]["dev"]])):
        versions = pinned(REQUIREMENTS / f"{lock}.txt")
        for requirement in map(Requirement, needed):
            name = canonicalize_name(requirement.name)
            assert requirement.specifier.contains(versions[name], prereleases=True), (lock, requirement)


@pytest.mark.parametrize("name", ["build", "cellwright", "serving", "suggestion"])
def test_images_have_the_versions_that_are_tested(name):
    assert pinned(REQUIREMENTS / f"{name}.txt").items() <= pinned(REQUIREMENTS / "dev.txt").items()


def test_server_and_clients_have_the_same_mlflow():
    assert pinned(REQUIREMENTS / "mlflow.txt")["mlflow"] == pinned(REQUIREMENTS / "dev.txt")["mlflow"]


def test_the_notice_names_every_package_of_the_images():
    notice = (ROOT / "NOTICE").read_text()
    names = {
        name
        for image in ("cellwright", "mlflow", "serving", "suggestion")
        for name in pinned(REQUIREMENTS / f"{image}.txt")
    }
    assert [name for name in sorted(names) if f"\n{name} " not in notice] == []


KNOWN = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
CLEAN = {"name": "b", "version": "1", "vulns": []}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([CLEAN], 0, "audit: dev.txt: no known vulnerability in 1 packages"),
        ([CLEAN, KNOWN], 1, "audit: dev.txt: a 1 has PYSEC-1, which is fixed in 2"),
        (
            [CLEAN, SKIPPED],
            2,
            "audit: dev.txt: NOT AUDITED: 1 of 2 packages could not be looked up: Dependency not found on PyPI and "
            "could not be audited: c (1)",
        ),
    ],
)
def test_an_audit_says_what_it_could_not_look_up(packages, code, said):
    assert runpy.run_path(str(REQUIREMENTS / "audit.py"))["verdict"]("dev", packages) == (code, [said])


def test_an_audit_looks_at_every_package():
    locks = runpy.run_path(str(REQUIREMENTS / "audit.py"))["LOCKS"]
    seen = {pin for lock in locks for pin in pinned(REQUIREMENTS / f"{lock}.txt").items()}
    assert {pin for lock in LOCKS for pin in pinned(lock).items()} == seen


def test_make_builds_all():
    said = subprocess.run(["make", "-n", "images"], cwd=ROOT, check=True, capture_output=True, text=True)
    [names] = re.findall(r"for image in (.*); do", said.stdout)
    assert sorted(names.split()) == [path.parent.name for path in DOCKERFILES]


def test_a_release_is_built_on_a_digest_with_sbom_and_provenance_and_signed():
    refused = subprocess.run(
        ["make", "release-images", "PYTHON_IMAGE=python:3.11"], cwd=ROOT, capture_output=True
    )
    assert refused.returncode and b"PYTHON_IMAGE must name a digest" in refused.stderr
    told = ["make", "-n", "release-images", "PYTHON_IMAGE=python@sha256:0"]
    said = subprocess.run(told, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for words in ("--sbom=true", "--provenance=mode=max", "PYTHON=python@sha256:0", "cosign sign --yes"):
        assert words in said


def test_actions_are_named_by_their_commits():
    used = [
        each
        for file in ROOT.glob(".github/**/*.yaml")
        for each in re.findall(r"uses: (.*)", file.read_text())
    ]
    assert used and [each for each in used if not re.match(r"[\w/-]+@[0-9a-f]{40}  # v", each)] == []
