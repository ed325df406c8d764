import json

import pytest

import cellwright_pipelines
from cellwright.folders import claimed
from cellwright.genotype import Genotype
from cellwright.report import writing
from cellwright.report.live import PlainProgress
from cellwright.steps import running
from tests.report.results import EVALUATION, LINE, REGISTRATION, SEARCH


@pytest.fixture
def asked(monkeypatch):
    """Stand in for the work: leave results as the steps would, and keep what was asked for."""
    calls = []

    def leave_results(spec, workspace, progress):
        calls.append((spec, workspace))
        assert isinstance(progress, PlainProgress)
        folders = {name: workspace / f"{name}-0123" for name in ("prepare", "search", "evaluate", "register")}
        SEARCH.save(folders["search"] / "search.json")
        EVALUATION.save(folders["evaluate"] / "evaluation.json")
        REGISTRATION.save(folders["register"] / "registered.json")
        return folders

    def leave_search(step, spec, workspace, progress):
        folders = leave_results(spec, workspace, progress)
        return {name: folders[name] for name in ("prepare", step)}

    monkeypatch.setattr(cellwright_pipelines, "run_locally", leave_results)
    monkeypatch.setattr(running, "run_until", leave_search)
    monkeypatch.setattr(writing, "write_report", lambda workspace: workspace / writing.REPORT)
    return calls


def test_run_ends_with_what_it_found(cellwright, spec, asked):
    result = cellwright("run", spec)
    assert result.exit_code == 0
    for part in (LINE, "normal cell", "random-0", "one seed (7)", "Registered as digits version 3"):
        assert part in result.stdout
    assert "MLflow's page: " in result.stdout and "sqlite:////runs/mlflow.db" in result.stdout


def test_overrides_and_the_folder_of_runs_are_passed_on(cellwright, spec, asked, tmp_path):
    assert cellwright("run", spec, "--set", "seed=1", "--set", "name=other", "--runs", "out").exit_code == 0
    ((asked_spec, workspace),) = asked
    assert (asked_spec.seed, asked_spec.name) == (1, "other")
    assert workspace.resolve() == tmp_path / "out" / "other"


def test_a_step_ends_with_what_it_found_and_its_folder(cellwright, spec, asked):
    result = cellwright("search", spec)
    assert result.exit_code == 0
    assert LINE in result.stdout and "random-0" not in result.stdout
    assert result.stdout.splitlines()[-1] == "search: runs/tiny/search-0123"


def test_fresh_deletes_what_the_spec_left_and_nothing_else(cellwright, spec, asked, tmp_path):
    for name in ("tiny", "other"):
        with claimed(tmp_path / "runs" / name / "search-old"):
            pass
    (tmp_path / "runs/tiny/notes.txt").touch()
    cellwright("run", spec)
    assert (tmp_path / "runs/tiny/search-old").exists()
    assert cellwright("run", spec, "--fresh").exit_code == 0
    assert not (tmp_path / "runs/tiny/search-old").exists()
    assert (tmp_path / "runs/tiny/notes.txt").exists()
    assert (tmp_path / "runs/other/search-old").exists()


def test_a_finished_run_is_shown_by_its_folder_and_by_its_spec(cellwright, spec, asked):
    ended = cellwright("run", spec).stdout.removesuffix("Report: runs/tiny/report.html\n")
    assert cellwright("show", "runs/tiny").stdout == ended
    assert cellwright("show", spec).stdout == ended
    shown = json.loads(cellwright("show", spec, "--json").stdout)
    assert shown["name"] == "tiny" and shown["search"]["genotype"] == LINE


def test_a_search_is_shown_by_its_folder_and_by_its_file(cellwright, spec, asked):
    cellwright("run", spec)
    shown = cellwright("show", LINE).stdout
    assert "normal cell" in shown and f"line    {LINE}" in shown and "digest  " in shown
    assert json.loads(cellwright("show", LINE, "--json").stdout)["line"] == LINE
    assert cellwright("show", "runs/tiny/search-0123").stdout == shown
    assert cellwright("show", "runs/tiny/search-0123/search.json").stdout == shown


def test_a_genotype_is_shown_from_its_file(cellwright, tmp_path):
    (tmp_path / "genotype.json").write_text(json.dumps(Genotype.from_line(LINE).to_dict()))
    assert cellwright("show", "genotype.json").stdout == cellwright("show", LINE).stdout
