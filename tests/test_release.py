"""`make release` on a small repository: a dry run by default, and a release with --do."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    "src/cellwright/__init__.py": '"""A package."""\n\n__version__ = "0.1.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n",
    "manifests/mlflow/server.yaml": "image: ghcr.io/cellwright/mlflow:0.1.0\nother: 0.1.0\n",
    "pyproject.toml": (
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "cellwright"\ndynamic = ["version"]\n'
        '[tool.setuptools.dynamic]\nversion = {attr = "cellwright.__version__"}\n'
    ),
    ".gitignore": "dist\nbuild\n*.egg-info\n",
    "Makefile": "release-images:\n\techo images on $(PYTHON_IMAGE)\n",
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for key in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{key}_NAME", "me")
        monkeypatch.setenv(f"GIT_{key}_EMAIL", "me@example.com")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "First")):
        git(tmp_path, *command)
    return tmp_path


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "release.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_by_default_it_says_what_it_would_do_and_changes_nothing(repository: Path):
    done = release(repository, "0.2.0")
    assert done.returncode == 0, done.stderr
    for line in ('+__version__ = "0.2.0"', "+image: ghcr.io/cellwright/mlflow:0.2.0", "+## 0.2.0 - "):
        assert line in done.stdout
    assert "+ git commit -qam Release 0.2.0" in done.stdout and "nothing was changed" in done.stdout
    assert "release-images" not in done.stdout
    assert git(repository, "status", "--porcelain") == git(repository, "tag") == ""


def test_it_commits_builds_and_tags(repository: Path):
    done = release(repository, "0.2.0", "--do", "--python-image", "python@sha256:00")
    assert done.returncode == 0, done.stderr
    assert git(repository, "tag").split() == ["v0.2.0"]
    assert git(repository, "log", "-1", "--format=%s").strip() == "Release 0.2.0"
    assert git(repository, "status", "--porcelain") == ""
    assert "## Unreleased\n\n## 0.2.0 - " in (repository / "CHANGELOG.md").read_text()
    assert (repository / "manifests/mlflow/server.yaml").read_text().endswith(":0.2.0\nother: 0.1.0\n")
    [wheel] = (repository / "dist").glob("*.whl")
    assert wheel.name == "cellwright-0.2.0-py3-none-any.whl" and f"{wheel.name}: sha256 " in done.stdout
    assert "\nimages on python@sha256:00\n" in done.stdout


@pytest.mark.parametrize(
    ("version", "change", "problem"),
    [
        ("0.2", "", "the version must be three numbers, such as 0.2.0, got '0.2'"),
        ("0.1.0", "", "the version must be above 0.1.0, got 0.1.0"),
        ("0.2.0", "notes.txt", "all changes must be committed before a release, got\n?? notes.txt"),
    ],
)
def test_what_cannot_be_released_is_refused(repository: Path, version: str, change: str, problem: str):
    if change:
        (repository / change).touch()
    done = release(repository, version, "--do")
    assert done.returncode == 1 and problem in done.stderr
    assert git(repository, "tag") == ""


def test_a_release_has_changes(repository: Path):
    assert release(repository, "0.2.0", "--do").returncode == 0
    assert "must list changes under Unreleased" in release(repository, "0.3.0", "--do").stderr
