"""What is logged of a pipeline run, from folders that a search at work leaves."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Fidelity
from cellwright.genotype import Genotype
from cellwright.results import EpochRecord, SearchResult, StepRecord
from cellwright.search.journal import EVALUATIONS, EvaluationJournal
from cellwright.search.one_shot import of_seed, seed_result
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.steps.record import run_key, run_record
from cellwright.tasks.preparing import prepare
from cellwright.tracking import RunRecord

SPEC: Mapping[str, Any] = {
    "name": "small",
    "data": {"source": "digits"},
    "space": {"kind": "nasbench201"},
    "strategy": {"kind": "random"},
}


def spec(**sections: Any) -> SearchSpec:
    return SearchSpec.model_validate({**SPEC, **sections})


@pytest.fixture
def genotype() -> Genotype:
    return build_space(spec().space).sample(random.Random(0))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepare")
    prepare(spec().data, folder, print)
    return folder


@pytest.fixture
def folders(prepared: Path, tmp_path: Path) -> Mapping[str, Path]:
    search = tmp_path / "search-0123456789abcdef"
    search.mkdir()
    return {"prepare": prepared, "search": search}


def record(spec: SearchSpec, folders: Mapping[str, Path], *evaluations: Evaluation) -> RunRecord:
    journal = EvaluationJournal(folders["search"] / EVALUATIONS)
    for evaluation in evaluations:
        journal.add(evaluation)
    journal.close()
    return run_record(spec, run_key(spec, folders["search"]), folders)


def done(number: int, genotype: Genotype, accuracy: float, **values: Any) -> Evaluation:
    return Evaluation(
        number=number,
        candidate=Candidate(genotype=genotype),
        metrics={"accuracy": accuracy},
        **{"seconds": 1.0, **values},
    )


def test_a_curve_grows_in_the_order_of_suggestion(folders: Mapping[str, Path], genotype: Genotype):
    """Whichever of several trials ends first: a point that was sent stays as it is."""
    young = record(spec(), folders, done(0, genotype, 0.2), done(2, genotype, 0.1))
    assert young.curves == {"search/accuracy": [(1, 0.2)], "search/best_accuracy": [(1, 0.2)]}
    assert [trial.name for trial in young.trials] == ["trial 0", "trial 2"]
    old = record(spec(), folders, done(1, genotype, 0.4), done(0, genotype, 0.3, repeat=1))
    assert old.curves["search/best_accuracy"] == [(1, 0.2), (2, 0.4), (3, 0.4)]
    assert [trial.key for trial in old.trials] == ["trial-0-0", "trial-0-1", "trial-1-0", "trial-2-0"]


@pytest.mark.parametrize(
    ("state", "seconds", "status"),
    [
        ("done", 1.0, "FINISHED"),
        ("pruned", 1.0, "KILLED"),
        ("failed", 1.0, "FAILED"),
        ("failed", 0.0, "FAILED"),
        ("done", 0.0, None),
        ("pruned", 0.0, None),
        ("infeasible", 0.0, None),
    ],
)
def test_what_was_tried_is_a_trial(
    folders, genotype: Genotype, state: str, seconds: float, status: str | None
):
    evaluation = done(
        0,
        genotype,
        0.5,
        state=state,
        seconds=seconds,
        reason="why",
        curve=(0.4, 0.5),
        fidelity=Fidelity(epochs=0.5),
    )
    trials = record(spec(), folders, evaluation).trials
    assert [trial.status for trial in trials] == ([status] if status else [])
    for trial in trials:
        assert trial.tags == {"cellwright.reason": "why"}
        assert trial.curves == {"curve/accuracy": [(1, 0.4), (2, 0.5)]}
        assert trial.metrics == {"accuracy": 0.5, "seconds": seconds}
        assert (trial.params["genotype"], trial.params["fidelity.epochs"]) == (genotype.to_line(), "0.5")


def test_searches_of_several_seeds_are_trials(folders, genotype: Genotype):
    several = spec(strategy={"kind": "beta-darts"}, space={"kind": "nasbench201"}, budget={"seeds": 2})
    history = (EpochRecord(epoch=1, metrics={"train_loss": 2.0, "validation_accuracy": 0.3}),)
    found = SearchResult(genotype=genotype, score=0.3, seconds=7.0, history=history)
    found.save(seed_result(folders["search"], 1))
    (trial,) = record(several, folders).trials
    assert (trial.key, trial.name, trial.seconds) == ("search-1", "search 1", 7.0)
    assert trial.params == {"genotype": genotype.to_line(), "seed": str(of_seed(several, 1).seed)}
    assert trial.metrics == {"seconds": 7.0, "validation_accuracy": 0.3}
    assert trial.curves["curve/train_loss"] == [(1, 2.0)]


def test_a_key_is_known_from_the_search_on(folders):
    before = run_key(spec(), folders["search"])
    StepRecord(
        files={}, step="search", key="0123456789abcdef", inputs={}, settings=None, version="1", seconds=1.0
    ).save(folders["search"] / "step.json")
    elsewhere = folders["search"].rename(folders["search"].with_name("found"))
    assert run_key(spec(), elsewhere) == before


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"tracking": {"uri": "http://mlflow", "run_id": "abc"}}, True),
        ({"resources": {"cpu": 4}, "pipeline": {"retries": 0}}, True),
        ({"retrain": {"epochs": 7}}, False),
        ({"seed": 1}, False),
    ],
)
def test_a_key_names_what_results_depend_on(folders, change: Mapping[str, Any], is_same: bool):
    assert (run_key(spec(**change), folders["search"]) == run_key(spec(), folders["search"])) is is_same


def test_a_key_stays_when_a_project_is_moved(folders):
    def of(folder: str, **more: Any) -> SearchSpec:
        return spec(
            data={"source": "npz", "path": f"/{folder}/x.npz", "test_path": "s3://bucket/y.npz", **more},
            start={"search": f"/{folder}/runs/a/search-1"},
            profiles=f"/{folder}/profiles.yaml",
        )

    before = run_key(of("old"), folders["search"])
    assert run_key(of("new"), folders["search"]) == before
    assert run_key(of("old", test_path="s3://other/y.npz"), folders["search"]) != before
    assert run_key(of("old", split_seed=1), folders["search"]) != before
    assert "/old" not in str(record(of("old"), folders).params)


def test_a_key_is_the_same_in_each_run_of_kubeflow(folders):
    def labelled(run: str) -> SearchSpec:
        return spec(runner={"kind": "jobs", "labels": {"run": run}}, store={"uri": "s3://bucket/x"})

    assert run_key(labelled("a"), folders["search"]) == run_key(labelled("b"), folders["search"])
