import subprocess
import sys
from pathlib import Path

import pytest

from cellwright.spaces.stages.members import PUBLISHED
from cellwright.steps import running

CELLWRIGHT = Path(sys.executable).with_name("cellwright")
COMMANDS_WITH_SPEC = (
    "run",
    "prepare",
    "search",
    "retrain",
    "baselines",
    "evaluate",
    "register",
    "validate",
    "compile",
)


def assert_fails_with(result, line: str) -> None:
    assert (result.exit_code, result.stderr) == (1, f"error: {line}\n")
    assert result.stdout == ""


@pytest.mark.parametrize("command", COMMANDS_WITH_SPEC)
def test_a_misspelt_key_is_named_with_a_hint(cellwright, spec, command):
    spec.write_text(spec.read_text() + "budgte: {epochs: 5}\n")
    result = cellwright(command, spec)
    assert_fails_with(result, f"{spec}: budgte: unknown key; did you mean 'budget'?")


@pytest.mark.parametrize("command", COMMANDS_WITH_SPEC)
def test_a_missing_spec_is_named(cellwright, command):
    result = cellwright(command, "serach.yaml")
    assert_fails_with(result, "serach.yaml: cannot be read: No such file or directory")


def test_a_yaml_error_is_located(cellwright, spec):
    spec.write_text("name: tiny\ndata: {source: digits\nseed: 1\n")
    result = cellwright("validate", spec)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {spec}:3:5: not valid YAML: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("seed", "--set must be KEY.KEY=VALUE, got 'seed'"),
        ("seed=-1", "{}: seed: must be greater than or equal to 0, got -1"),
        ("retrain.epocs=3", "{}: retrain.epocs: unknown key; did you mean 'epochs'?"),
    ],
)
def test_a_wrong_override_is_named(cellwright, spec, override, line):
    assert_fails_with(cellwright("validate", spec, "--set", override), line.format(spec))


def test_missing_data_is_named(cellwright, spec, tmp_path):
    spec.write_text("name: tiny\ndata: {source: images, path: photos}\n")
    place = tmp_path / "photos"
    assert_fails_with(
        cellwright("validate", spec),
        f"{spec}: data.path: {place}: there is no such folder; {spec.parent} has no photos",
    )
    result = cellwright("prepare", spec)
    assert result.exit_code == 1
    assert str(place) in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("docter", "No such command 'docter'. Did you mean 'doctor'?; see cellwright --help"),
        ("run", "Missing argument 'SPEC'; see cellwright run --help"),
        (
            "run a --fres",
            "No such option: --fres (Possible options: --fresh, --runs); see cellwright run --help",
        ),
        (
            "runs --count 0",
            "Invalid value for '--count': Input should be greater than or equal to 1; see cellwright runs --help",
        ),
    ],
)
def test_a_wrong_command_line_gets_one_line(cellwright, line, problem):
    result = cellwright(*line.split())
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1
    assert problem.split(";")[0] in result.stderr


@pytest.mark.parametrize("command", ["run", "prepare"])
@pytest.mark.parametrize(
    ("runs", "reason"), [("search.yaml/runs", "Not a directory"), ("/proc/runs", "No such file or directory")]
)
def test_a_place_that_cannot_hold_runs_is_named_before_anything_is_done(
    cellwright, spec, command, runs, reason
):
    assert_fails_with(cellwright(command, spec, "--runs", runs), f"cannot write {runs}/tiny: {reason}")


def test_a_place_that_cannot_hold_the_pipeline_is_named(cellwright, spec):
    result = cellwright("compile", spec, "-o", "search.yaml/pipeline.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: cannot open search.yaml")


@pytest.fixture
def full_disk(tmp_path):
    """A folder with 64 KiB of room, less than prepared digits want."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if (mount := subprocess.run(command, capture_output=True, text=True)).returncode:
        pytest.skip(f"mounting a small disk must be permitted: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_named(cellwright, full_disk, spec):
    result = cellwright("prepare", spec, "--runs", full_disk)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: cannot write {full_disk}")
    assert line.endswith(": No space left on device")


@pytest.mark.parametrize(
    ("thing", "line"),
    [
        ("no/such/folder", "no/such/folder must exist, and does not"),
        ("genotype.json", "genotype.json must exist, and does not"),
        (".", ". must be the folder of a finished run: it holds no latest.json"),
        ("search.yaml", "runs/tiny must be the folder of a finished run: it holds no latest.json"),
        ("darts:normal", "a cell must be NAME~INPUTS~NODE~…, got 'normal'"),
    ],
)
def test_what_cannot_be_shown_is_named(cellwright, spec, thing, line):
    assert_fails_with(cellwright("show", thing), line)


def test_a_line_that_is_too_long_for_a_file_name_is_shown(cellwright):
    result = cellwright("show", PUBLISHED["MobileNetV3-L"].genotype.to_line())
    assert result.exit_code == 0
    assert "stage 9" in result.stdout


@pytest.mark.parametrize("text", ["{", '{"genotype": 3}', '{"space": "darts"}', "[]"])
def test_a_file_that_is_no_genotype_is_refused(cellwright, tmp_path, text):
    (tmp_path / "genotype.json").write_text(text)
    result = cellwright("show", "genotype.json")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_an_interrupted_command_says_how_to_resume(cellwright, spec, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run_until", interrupt)
    result = cellwright("search", spec)
    assert result.exit_code == 130
    assert result.stderr == "interrupted: run the same command again to resume\n"


def test_a_bug_is_not_hidden(cellwright, spec, monkeypatch):
    def stumble(*arguments):
        raise KeyError("no such thing")

    monkeypatch.setattr(running, "run_until", stumble)
    result = cellwright("search", spec)
    assert isinstance(result.exception, KeyError)
