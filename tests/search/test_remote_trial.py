"""Trials whose requests, data and results are in a store."""

import random
from pathlib import Path
from typing import Any

import pytest

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.progress import Silent
from cellwright.results import StepRecord
from cellwright.runners import FOUND, request_location, step_location, trial_location
from cellwright.search.remote_trial import RemoteTrial
from cellwright.search.trial import TrialRequest
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.stores import FolderStore, Store, push, upload_initial
from cellwright.tasks.preparing import prepare

SPEC: dict[str, Any] = {
    "name": "distant",
    "data": {"source": "digits", "limit": 200},
    "space": {"kind": "darts", "num_nodes": 2, "num_cells": 2, "channels": 4},
    "strategy": {"kind": "random"},
    "estimators": [{"kind": "short-training", "epochs": 2}],
    "retrain": {"batch_size": 16},
    "runner": {"kind": "jobs"},
    "store": {"uri": "/volume", "claim": "volume"},
}


def spec_of(**sections: Any) -> SearchSpec:
    return SearchSpec.model_validate({**SPEC, **sections})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    store = FolderStore(str(tmp_path_factory.mktemp("store")))
    put_prepared(store, tmp_path_factory.mktemp("data") / "prepare-1")
    return store


def put_prepared(store: Store, folder: Path) -> None:
    """Leave prepared data in the store, as `prepare` does."""
    folder.mkdir()
    prepare(spec_of().data, folder, lambda text: None)
    record = StepRecord(
        files=StepRecord.files_of(folder),
        step="prepare",
        key="1" * 16,
        inputs={},
        settings=None,
        version="1",
        seconds=1.0,
    )
    record.save(folder / StepRecord.FILE)
    push(store, folder, step_location("prepare-1"), StepRecord)


@pytest.fixture
def genotype() -> Genotype:
    return build_space(spec_of().space).sample(random.Random(0))


def ask(store: Store, place: str, spec: SearchSpec, folder: Path, genotype: Genotype | None = None) -> None:
    """Leave a request in the store, as a search does."""
    evaluation = None
    if genotype is not None:
        evaluation = Evaluation(
            number=4, candidate=Candidate(genotype=genotype), state="running", metrics={"params": 1.0}
        )
    request = TrialRequest(
        spec=spec.model_dump_json(by_alias=True),
        data="/elsewhere/prepare-1",
        evaluation=evaluation,
        threads=1,
    )
    request.save(folder / "asked" / "trial.json")
    upload_initial(store, folder / "asked", place)


def files_of(store: FolderStore, search: str) -> set[str]:
    return {name.partition("/")[2] for name in store.sizes(trial_location(search, "4-0"))}


class Evicted(Silent):
    """The end of a pod after its first epoch."""

    def advance(self, task: str, done: int, total: int, metrics: Any) -> None:
        raise SystemExit(143)


def trial(store: FolderStore, search: str, scratch: Path, **parameters: str) -> RemoteTrial:
    return RemoteTrial(store, search, "4-0", scratch, parameters=parameters)


def test_it_does_what_the_search_asks(store, genotype, tmp_path: Path):
    ask(store, trial_location("asked", "4-0"), spec_of(), tmp_path, genotype)
    evaluation = trial(store, "asked", tmp_path / "pod").run(Silent())
    assert evaluation.state == "done"
    assert evaluation.metrics.keys() == {"params", "accuracy"}
    assert {"result.json", "trial.json"} <= files_of(store, "asked")


def test_restarted_elsewhere_it_resumes_to_the_same_result(store, genotype, tmp_path: Path):
    for name in ("whole", "evicted"):
        ask(store, trial_location(name, "4-0"), spec_of(), tmp_path, genotype)
    whole = trial(store, "whole", tmp_path / "one").run(Silent())

    with pytest.raises(SystemExit):
        trial(store, "evicted", tmp_path / "two").run(Evicted())
    assert "checkpoint.safetensors" in files_of(store, "evicted")
    again = trial(store, "evicted", tmp_path / "three").run(Silent())
    assert (again.metrics, again.curve) == (whole.metrics, whole.curve)


def test_what_is_done_is_not_done_again(store, genotype, tmp_path: Path):
    ask(store, trial_location("done", "4-0"), spec_of(), tmp_path, genotype)
    first = trial(store, "done", tmp_path / "one").run(Silent())
    ask(store, trial_location("done", "4-0"), spec_of(retrain={"batch_size": 8}), tmp_path, genotype)
    assert trial(store, "done", tmp_path / "two").run(Silent()) == first


def test_katibs_parameters_are_a_request_too(store, genotype, tmp_path: Path):
    ask(store, request_location("alone"), spec_of(), tmp_path)
    parameters = {"genotype": genotype.to_line(), "fidelity": "epochs:0.5"}
    evaluation = trial(store, "alone", tmp_path / "pod", **parameters).run(Silent())
    assert (evaluation.number, evaluation.candidate.genotype, evaluation.state) == (4, genotype, "done")
    assert len(evaluation.curve) == 1
    assert evaluation.metrics["params"] > 0


def test_what_breaks_a_constraint_is_not_trained(store, genotype, tmp_path: Path):
    ask(store, request_location("bound"), spec_of(constraints={"params": 10}), tmp_path)
    parameters = {"genotype": genotype.to_line(), "fidelity": "full"}
    evaluation = trial(store, "bound", tmp_path / "pod", **parameters).run(Silent())
    assert evaluation.state == "infeasible"
    assert evaluation.reason and "constraints.params must be at most 10" in evaluation.reason


def test_a_proposal_that_the_search_did_not_ask_for_is_refused(store, genotype, tmp_path: Path):
    ask(store, trial_location("other", "4-0"), spec_of(), tmp_path, genotype)
    proposed = build_space(spec_of().space).sample(random.Random(1)).to_line()
    with pytest.raises(CellwrightError, match="trial 4-0 must evaluate .*, as its search asks"):
        trial(store, "other", tmp_path / "pod", genotype=proposed, fidelity="full").run(Silent())


def test_a_whole_one_shot_search_is_a_trial(store, tmp_path: Path):
    spec = spec_of(
        space={**SPEC["space"], "primitives": ["skip_connect", "sep_conv_3x3"]},
        strategy={"kind": "beta-darts"},
        budget={"epochs": 1},
        estimators=[{"kind": "short-training"}],
    )
    ask(store, trial_location("one-shot", "4-0"), spec, tmp_path)
    evaluation = trial(store, "one-shot", tmp_path / "pod").run(Silent())
    assert evaluation.metrics.keys() == {"accuracy"}
    assert FOUND in files_of(store, "one-shot")
