"""What a search and a retraining take over from an earlier run, by path and by registered model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.progress import Silent
from cellwright.results import SearchResult, TrainingResult
from cellwright.search.candidates import candidate_space
from cellwright.search.warm_start import start_candidates
from cellwright.spec import SearchSpec
from cellwright.steps.running import run_until
from cellwright.training.checkpoint import load_tensors, unprefixed
from cellwright.training.starting_weights import StartingWeights

STANDSTILL = {"alpha_learning_rate": 1e-30, "alpha_weight_decay": 0, "batch_size": 32}


def spec_of(**sections: Any) -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "small",
            "data": {"source": "digits", "limit": 150},
            "space": {
                "kind": "darts",
                "num_nodes": 2,
                "num_cells": 2,
                "channels": 4,
                "primitives": ["skip_connect", "sep_conv_3x3"],
            },
            "strategy": {"kind": "darts", "alpha_learning_rate": 0.1, "batch_size": 32},
            "budget": {"epochs": 1},
            "retrain": {"epochs": 1},
            "evaluate": {
                "baseline": {"random_architectures": 0, "hand_designed": None},
                "latency_repeats": 5,
            },
            "resources": {"cpu": 1},
            **sections,
        }
    )


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of a run that ended with a champion."""
    return run_until("register", spec_of(), tmp_path_factory.mktemp("runs") / "small", Silent())


@pytest.fixture
def workspace(earlier: dict[str, Path]) -> Path:
    """Another workspace beside it, which has the same registry."""
    return earlier["search"].parent.parent / "again"


def found_by(earlier: dict[str, Path]) -> Genotype:
    return SearchResult.load(earlier["search"] / "search.json").genotype


def test_a_one_shot_search_starts_with_the_alphas_of_an_earlier_one(
    earlier: dict[str, Path], workspace: Path
):
    spec = spec_of(strategy={"kind": "darts", **STANDSTILL}, start={"search": earlier["search"]})
    again = run_until("search", spec, workspace, Silent())["search"]
    before, after = (
        unprefixed("alphas", load_tensors(folder / "checkpoint.safetensors")[0])
        for folder in (earlier["search"], again)
    )
    assert before["normal"].abs().max() > 0.03
    torch.testing.assert_close(after, before)
    found = SearchResult.load(again / "search.json")
    assert found.events == (f"began with the alphas normal, reduce of {earlier['search']}",)
    assert found.genotype == found_by(earlier)
    scratch = spec_of(strategy={"kind": "darts", **STANDSTILL})
    assert run_until("search", scratch, workspace, Silent())["search"] != again


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        (
            {"space": {"kind": "nasbench201"}},
            r"start.search must have alphas of this space, cell of \(6, 5\)",
        ),
        (
            {"strategy": {"kind": "spos"}},
            "start.search must be omitted: strategy.kind spos has no alphas to start from",
        ),
    ],
)
def test_alphas_that_do_not_suit_are_refused(
    sections: dict[str, Any], problem: str, earlier: dict[str, Path], workspace: Path
):
    spec = spec_of(start={"search": earlier["search"]}, **sections)
    with pytest.raises(CellwrightError, match=problem):
        run_until("search", spec, workspace, Silent())


def test_a_search_that_is_not_there_is_named(workspace: Path):
    with pytest.raises(CellwrightError, match=r"nowhere/checkpoint.safetensors must be a file"):
        run_until("search", spec_of(start={"search": "nowhere"}), workspace, Silent())


def test_a_sampled_search_tries_the_architecture_of_a_registered_model(
    earlier: dict[str, Path], workspace: Path
):
    registry = {"uri": f"sqlite:///{workspace.parent}/mlflow.db"}
    spec = spec_of(strategy={"kind": "random"}, start={"model": "models:/small@champion"}, tracking=registry)
    assert start_candidates(spec, candidate_space(spec)) == [Candidate(genotype=found_by(earlier))]
    elsewhere = spec.model_copy(update={"space": spec_of(space={"kind": "nasbench201"}).space})
    with pytest.raises(
        CellwrightError, match="start.model must hold an architecture of this space, got models"
    ):
        start_candidates(elsewhere, candidate_space(elsewhere))
    for address in ("models:/small@nobody", "models:/nothing/1"):
        unknown = spec.model_copy(update={"start": spec.start.model_copy(update={"model": address})})
        with pytest.raises(CellwrightError, match=address):
            start_candidates(unknown, candidate_space(unknown))


@pytest.mark.parametrize("start", ["models:/small@champion", "models:/small/1", "a folder"])
def test_retraining_starts_from_a_champions_weights(start: str, earlier: dict[str, Path], workspace: Path):
    path = start if ":" in start else str(earlier["retrain"])
    spec = spec_of(retrain={"epochs": 1, "start": path})
    again = run_until("retrain", spec, workspace, Silent())["retrain"]
    assert again.name != earlier["retrain"].name
    told = TrainingResult.load(again / "training.json").start
    assert told is not None
    assert told.source == (path if path == str(earlier["retrain"]) else "small/1")
    assert told.new == ()
    champion, _ = load_tensors(earlier["retrain"] / "model.safetensors")
    assert {name for name in champion if name.endswith("weight")} <= set(told.taken)
    settings = json.loads((again / "step.json").read_text())["settings"]["retrain"]
    assert settings["start"] == ("small/1" if ":" in start else settings["start"]) is not None


def test_only_what_agrees_in_name_and_shape_is_taken():
    earlier = nn.ModuleDict({"stem": nn.Conv2d(3, 4, 1), "norm": nn.BatchNorm2d(4), "head": nn.Linear(4, 10)})
    network = nn.ModuleDict({"stem": nn.Conv2d(3, 4, 1), "norm": nn.BatchNorm2d(4), "head": nn.Linear(4, 3)})
    earlier["norm"].running_mean += 1
    head = network["head"].weight.clone()
    told = StartingWeights("there", earlier.state_dict()).put_into(network)
    assert told.taken == (
        *("stem.weight", "stem.bias"),
        *("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"),
    )
    assert told.left == ("head.bias", "head.weight", "norm.num_batches_tracked")
    assert told.new == ("head.weight", "head.bias")
    torch.testing.assert_close(network["stem"].weight, earlier["stem"].weight)
    torch.testing.assert_close(network["norm"].running_mean, torch.ones(4))
    torch.testing.assert_close(network["head"].weight, head)


def test_weights_that_share_nothing_are_refused():
    other = StartingWeights("there", {"else": torch.zeros(3)})
    with pytest.raises(CellwrightError, match="weights to start from must share one .*, got there"):
        other.put_into(nn.Linear(2, 2))
