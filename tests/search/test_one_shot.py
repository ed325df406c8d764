"""One-shot searches from several seeds, of which some diverge."""

from pathlib import Path

import pytest

from cellwright.errors import CellwrightError, DivergedError
from cellwright.genotype import Genotype
from cellwright.progress import Silent
from cellwright.results import SearchResult
from cellwright.search import one_shot, trial
from cellwright.spec import RunnerSection, SearchSpec
from cellwright.steps.running import run_until

GENOTYPE = Genotype.from_line("darts:normal~2~0.skip_connect,1.sep_conv_3x3")


def spec_of(seeds: int) -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "diverging",
            "data": {"source": "digits", "limit": 100},
            "space": {"kind": "darts", "num_nodes": 2, "num_cells": 2, "channels": 2},
            "strategy": {"kind": "random-ws", "batch_size": 16, "learning_rate": 1e38},
            "budget": {"epochs": 3, "seeds": seeds},
            "resources": {"cpu": 1},
        }
    )


def test_a_diverged_search_leaves_no_result(tmp_path: Path):
    rule = "^search: training diverges in epoch 1: .*; lower strategy.learning_rate, 1e"
    with pytest.raises(CellwrightError, match=rule):
        run_until("search", spec_of(seeds=1), tmp_path, Silent())
    assert not [*tmp_path.glob("search-*/step.json"), *tmp_path.glob("search-*/search.json")]


def test_other_seeds_continue_when_one_diverges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scores = iter([0.5, None, 0.7])

    def train(spec, data, folder, progress) -> SearchResult:
        if (score := next(scores)) is None:
            raise DivergedError("training diverges in epoch 1")
        return SearchResult(genotype=GENOTYPE, score=score, seconds=1, history=())

    monkeypatch.setattr(one_shot, "train_supernet", train)
    found = one_shot.one_shot_search(spec_of(seeds=3), tmp_path, tmp_path, Silent())
    assert found.score == 0.7
    assert found.events == (
        "search 1: training diverges in epoch 1",
        "search 2 of 3 is the best: 0.5000, 0.7000 on validation",
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seed-0.json", "seed-2.json"]


class RemoteSection(RunnerSection):
    """Trials that are requested as on a cluster, and run here."""

    implementation = "cellwright.search.in_this_process:InThisProcess"
    is_remote = True

    kind: str = f"{__name__}:RemoteSection"


@pytest.mark.parametrize("scores", [[0.5, None, 0.7], [None, None, None]], ids=["one", "all"])
def test_a_trial_that_diverges_is_the_worst_and_has_not_failed(
    scores: list[float | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    remaining = iter(scores)

    def train(spec, data, folder, progress) -> SearchResult:
        if (score := next(remaining)) is None:
            raise DivergedError("training diverges in epoch 1")
        return SearchResult(genotype=GENOTYPE, score=score, seconds=1, history=())

    monkeypatch.setattr(trial, "train_supernet", train)
    spec = spec_of(seeds=3).model_copy(update={"runner": RemoteSection(max_failures=0)})
    if all(score is None for score in scores):
        with pytest.raises(DivergedError, match="search 0: training diverges in epoch 1; search 1: "):
            one_shot.one_shot_search(spec, tmp_path, tmp_path, Silent())
        return
    found = one_shot.one_shot_search(spec, tmp_path, tmp_path, Silent())
    assert found.score == 0.7
    assert found.events[0] == "search 1: training diverges in epoch 1"
