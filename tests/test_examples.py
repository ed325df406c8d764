"""The examples that bring code of their own do what they say, if only for a moment."""

import random
from pathlib import Path

import pytest
import torch

from cellwright.data.prepared import PreparedData
from cellwright.progress import Silent
from cellwright.results import SearchResult
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.spec import load_spec
from cellwright.steps.running import run_until
from cellwright.tasks.base import read_task

EXAMPLES = Path(__file__).parents[1] / "examples"
SHORT = ("data.limit=200", "budget.epochs=1")


@pytest.mark.parametrize("name", ["own_primitive", "own_space"])
def test_a_search_finds_a_network_with_what_the_user_brought(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(EXAMPLES)
    spec = load_spec(EXAMPLES / f"{name}.yaml", SHORT)
    folders = run_until("search", spec, tmp_path, Silent())
    genotype = SearchResult.load(folders["search"] / "search.json").genotype
    assert build_space(spec.space).contains(genotype)
    task = read_task(PreparedData.open(folders["prepare"]).manifest.task)
    network = build_network(spec.final_space, task, genotype)
    assert network(torch.rand(3, *task.map_shape)).shape == (3, task.num_outputs)


def test_a_primitive_of_ones_own_has_a_name_in_genotypes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    space = build_space(load_spec(EXAMPLES / "own_primitive.yaml").space)
    lines = [space.sample(random.Random(seed)).to_line() for seed in range(5)]
    assert any(".squeeze_excite" in line for line in lines)


QUICK = (
    "resources.cpu=1",
    "runner={kind: 'my_package.runners:InProcessSection'}",
    "data.limit=200",
    "budget={evaluations: 2, finalists: 2, fresh_seeds: 1}",
    "estimators=[{kind: zero-cost, keep: 0.5, reference: 4}, {kind: latency, networks: 10, rounds: 5},"
    " {kind: short-training, epochs: 1}]",
)


def test_a_constrained_search_keeps_its_constraint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    spec = load_spec(EXAMPLES / "constrained.yaml", QUICK)
    found = SearchResult.load(run_until("search", spec, tmp_path, Silent())["search"] / "search.json")
    assert found.front
    for member in found.front:
        assert member.metrics["params"] <= spec.constraints.params  # type: ignore[operator]
        assert {"accuracy", "latency_ms", "zero_cost"} <= member.metrics.keys()
