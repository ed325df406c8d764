"""Elastic searches of a few steps, from the spec to the networks of its targets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.nn.cost import count_params
from cellwright.progress import Silent
from cellwright.results import PARTS, TARGETS, EvaluationResult, SearchResult
from cellwright.search.elastic import ElasticPlan, elastic_search, make_plan
from cellwright.search.pricing import Prices
from cellwright.search.trial import setting_of
from cellwright.spaces import build_space
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.parts import Parts
from cellwright.spaces.stages.space import Stages
from cellwright.spec import SearchSpec
from cellwright.steps.baselines import baselines
from cellwright.steps.evaluate import evaluate
from cellwright.steps.retrain import retrain
from cellwright.steps.running import run_until
from cellwright.strategies.one_shot.elastic.evolution import Evolution
from cellwright.training.checkpoint import load_tensors
from cellwright.training.networks import load_network

LIMITS = (40_000, 20_000)
VALUES: dict[str, Any] = {
    "name": "small",
    "data": {"source": "digits", "limit": 200},
    "augment": {"shift": 0, "rotate": 0, "scale": 0},
    "space": {"kind": "stages"},
    "strategy": {"kind": "elastic", "targets": {"params": LIMITS}, "evaluations": 4},
    "budget": {"minutes": 1},
    "retrain": {"batch_size": 32},
    "evaluate": {"latency_repeats": 5},
    "resources": {"cpu": 1},
}
SPEC = SearchSpec.model_validate(VALUES)
LARGEST = build_space(SPEC.space).hand_designed(8, 0.35)["shallow-resnet"]
PLAN = ElasticPlan(
    seconds=1,
    prices=Prices(precision="float32", seconds={}, constant=1, parts=(0, 0, 0)),
    name="shallow-resnet × 0.35",
    largest=LARGEST,
    steps=8,
    alone=3,
    step_seconds=0.1,
    sandwich_seconds=0.2,
    epochs=2,
    evaluations=4,
)


class Interrupted(Exception):
    pass


class Interrupting(Silent):
    """Ends the search as a kill would, at the given report of a task."""

    def __init__(self, task: str, number: int) -> None:
        self.task, self.left = task, number

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        self.left -= task == self.task
        if self.left == 0:
            raise Interrupted


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_until("prepare", SPEC, tmp_path_factory.mktemp("data"), Silent())["prepare"]


@pytest.fixture(scope="module")
def found(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found")
    PLAN.save(folder / PLAN.FILE)
    elastic_search(SPEC, data, folder, Silent()).save(folder / SearchResult.FILE)
    return folder


def test_each_target_is_kept_by_the_best_part_that_was_scored(found: Path):
    result = SearchResult.load(found / SearchResult.FILE)
    assert result.elastic is not None
    first, second = result.elastic.networks
    assert (first.name, second.name) == ("found", "params-20000")
    assert result.genotype == first.genotype
    assert first.cost <= LIMITS[0] and second.cost <= LIMITS[1]
    assert first.loss <= second.loss or first.cost <= LIMITS[1]


@pytest.mark.parametrize(("task", "number"), [("elastic", 1), ("parts", 2)])
def test_an_interrupted_search_ends_in_the_same_place(
    task: str, number: int, found: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cellwright.training.course.SAVE_SECONDS", 0)
    PLAN.save(tmp_path / PLAN.FILE)
    with pytest.raises(Interrupted):
        elastic_search(SPEC, data, tmp_path, Interrupting(task, number))
    again, first = (
        elastic_search(SPEC, data, tmp_path, Silent()),
        SearchResult.load(found / SearchResult.FILE),
    )
    assert again.elastic == first.elastic
    weights, expected = (load_tensors(folder / PARTS)[0] for folder in (tmp_path, found))
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())


def test_every_network_is_exported_and_scored(found: Path, data: Path, tmp_path: Path):
    inputs = {"prepare": data, "search": found}
    for name, step in (("retrain", retrain), ("baselines", baselines), ("evaluate", evaluate)):
        (tmp_path / name).mkdir()
        step(SPEC, inputs, tmp_path / name, Silent())
        inputs[name] = tmp_path / name
    result = SearchResult.load(found / SearchResult.FILE)
    assert result.elastic is not None
    scored = EvaluationResult.load(tmp_path / "evaluate" / EvaluationResult.FILE)
    assert [score.name for score in scored.scores] == [one.name for one in result.elastic.networks]
    for one, score, folder in zip(
        result.elastic.networks, scored.scores, ("", f"{TARGETS}/params-20000"), strict=True
    ):
        network = load_network(tmp_path / "retrain" / folder)
        assert count_params(network) == one.cost == score.params
        assert (tmp_path / "retrain" / folder / "model.onnx").exists()
        assert score.latency


def test_a_target_that_no_part_keeps_is_refused_before_training(data: Path, tmp_path: Path):
    spec = SearchSpec.model_validate(
        VALUES | {"strategy": {"kind": "elastic", "targets": {"params": [90_000, 100]}}}
    )
    setting = setting_of(spec, PreparedData.open(data), torch.device("cpu"))
    with pytest.raises(CellwrightError, match=r"params must be at least \d+, .*, got 100"):
        make_plan(spec, setting, tmp_path, Silent())


def test_evolution_finds_the_best_part_within_a_limit():
    """The loss is that of wide first stages, and the cost that of all: only both together decide."""
    space = build_space(SPEC.space)
    assert isinstance(space, Stages)
    parts = Parts(space, space.hand_designed(8, 1.0)["shallow-resnet"])

    def cost(genotype: Genotype) -> float:
        return sum(stage.depth * stage.width for stage in Design.of(genotype).stages)

    def loss(genotype: Genotype) -> float:
        return -Design.of(genotype).stages[0].width - 0.01 * cost(genotype)

    evolution = Evolution(parts, cost, loss, seed=0)
    best = [evolution.best(limit, 40) for limit in (cost(parts.largest), 120)]
    assert cost(best[1]) <= 120 < cost(best[0])
    assert Design.of(best[0]).stages[0].width == Design.of(parts.largest).stages[0].width
    assert loss(best[1]) == min(one for part, one in evolution.losses.items() if cost(part) <= 120)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"kind": "darts"}}, "space.kind must be stages for strategy.kind elastic, got darts"),
        ({"tune": {"values": {"retrain.epochs": [1, 2]}, "when": "after"}}, "tune must be left out"),
        ({"strategy": {"kind": "elastic", "targets": {}}}, "limits of one metric"),
        ({"strategy": {"kind": "elastic", "targets": {"params": [1], "macs": [1]}}}, "limits of one metric"),
        ({"strategy": {"kind": "elastic", "targets": {"params": [1, 1]}}}, "different limits"),
        ({"retrain": {"start": "models:/a@champion"}}, "retrain.start must be left out"),
    ],
)
def test_a_spec_says_what_it_cannot_have(changes: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        SearchSpec.model_validate(VALUES | changes)
