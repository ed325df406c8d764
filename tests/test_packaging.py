"""What a user of the wheel gets."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files in a wheel that is built from a copy of the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, tracked.stdout.split("\0")):
        copy = folder / "tree" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy, follow_symlinks=False)
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(folder / "tree"),
    ]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_every_module_is_in_the_wheel(names: list[str]):
    places = {
        "src/cellwright": "cellwright",
        "components": "cellwright_components",
        "pipelines": "cellwright_pipelines",
    }
    expected = {
        f"{package}/{path.relative_to(ROOT / place)}"
        for place, package in places.items()
        for path in (ROOT / place).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == expected


def test_the_wheel_says_that_it_is_typed(names: list[str]):
    assert "cellwright/py.typed" in names


def test_importing_the_package_loads_nothing_heavy():
    script = "import sys, cellwright, cellwright.spaces, cellwright.spec; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "kfp", "mlflow", "sklearn", "numpy"} & set(loaded.stdout.split())


def test_the_workflow_and_the_hook_call_targets_that_make_has():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yaml").read_text())
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    commands = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    commands += [hook["entry"] for hook in hooks]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    called = {word for command in commands for word in command.split()[1:]}
    assert called == {"lint", "types", "test"} and called <= set(targets)
