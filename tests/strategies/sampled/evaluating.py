"""Searches of toy scores."""

from collections.abc import Callable, Sequence
from typing import Any

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Objective
from cellwright.spaces import CandidateSpace
from cellwright.spec import STRATEGIES
from cellwright.strategies.sampled import build_strategy

ACCURACY = Objective(metric="accuracy")


def build(
    space: CandidateSpace,
    section: dict[str, Any],
    *,
    seed: int = 0,
    objectives: Sequence[Objective] = (ACCURACY,),
) -> Any:
    return build_strategy(STRATEGIES.validate(section), space, objectives, seed=seed)


def search(strategy: Any, rounds: int, score: Callable[[Candidate], float]) -> list[Evaluation]:
    """Evaluate one suggestion after the other."""
    for _ in range(rounds):
        (suggestion,) = strategy.suggest(1)
        strategy.observe([suggestion.done({"accuracy": score(suggestion.candidate)})])
    return strategy.done


def count_3x3(candidate: Candidate) -> float:
    """Return how many edges are 3x3 convolutions."""
    return sum(
        "3x3" in edge.primitive and "conv" in edge.primitive
        for cell in candidate.genotype.cells.values()
        for node in cell.nodes
        for edge in node
    )
