"""Searches of toy scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cellwright.evaluation import Evaluation, Objective
from cellwright.genotype import Genotype
from cellwright.spaces import Space
from cellwright.spec import STRATEGIES
from cellwright.strategies.sampled import build_strategy

ACCURACY = Objective(metric="accuracy")


def build(
    space: Space, section: dict[str, Any], *, seed: int = 0, objectives: Sequence[Objective] = (ACCURACY,)
) -> Any:
    return build_strategy(STRATEGIES.validate(section), space, objectives, seed=seed)


def search(strategy: Any, rounds: int, score: Callable[[Genotype], float]) -> list[Evaluation]:
    """Evaluate one suggestion after the other."""
    for _ in range(rounds):
        (suggestion,) = strategy.suggest(1)
        strategy.observe(
            [replace(suggestion.running, state="done", metrics={"accuracy": score(suggestion.genotype)})]
        )
    return strategy.done


def count_3x3(genotype: Genotype) -> float:
    """Return how many edges are 3x3 convolutions."""
    return sum(
        "3x3" in edge.primitive and "conv" in edge.primitive
        for cell in genotype.cells.values()
        for node in cell.nodes
        for edge in node
    )
