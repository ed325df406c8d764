"""Derivation by perturbation: Wang et al. 2021, https://arxiv.org/abs/2108.04392."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from cellwright.spaces import Space
from cellwright.spaces.supernet import Active, Mixture
from cellwright.strategies.one_shot.base import Round

Score = Callable[[Mixture, Active], tuple[float, float]]
"""Returns score and loss on validation examples."""

Restricted = tuple[dict[str, Tensor], dict[str, list[list[int]]]]
"""A mixture, and the choices that remain active."""

UNDECIDED = -1


class Perturbation:
    """Makes one decision after another, keeping the choice whose removal hurts the supernet most.

    In the last round, each decision is dropped as a whole in turn. Those that increase the loss most are the strongest,
    so that a cell space keeps their edges.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        counts = {group: num_decisions for group, (num_decisions, _) in space.decisions.items()}
        self.taken = {group: torch.full((count,), UNDECIDED) for group, count in counts.items()}
        self.ranks = {group: torch.zeros(count) for group, count in counts.items()}

    @property
    def is_done(self) -> bool:
        """Return whether all decisions are made and ranked."""
        return all(bool((ranks > 0).all()) for ranks in self.ranks.values())

    def rounds(self, mixture: Mixture, *, score: Score, rng: torch.Generator) -> Iterator[Round]:
        """Make the remaining decisions in a random order, and yield after each.

        Args:
            mixture: strengths of the choices; ignored for decisions that are already made.
            score: evaluates the supernet.
            rng: must be in the same state when a search resumes.
        """
        indices = [(group, decision) for group, taken in self.taken.items() for decision in range(len(taken))]
        order = [indices[index] for index in torch.randperm(len(indices), generator=rng).tolist()]
        total = len(order) + 1
        for number, (group, decision) in enumerate(order, start=1):
            if self.taken[group][decision] == UNDECIDED:
                scores = [score(*self._without(mixture, group, decision, c)) for c in self._choices(group)]
                self.taken[group][decision] = min(self._choices(group), key=lambda c: _order(scores[c]))
                yield Round(number=number, total=total)
        if not self.is_done:
            for group, ranks in self.ranks.items():
                scores = [score(*self._dropping(mixture, group, d)) for d in range(len(ranks))]
                from_weakest = sorted(range(len(ranks)), key=lambda d: _order(scores[d]), reverse=True)
                ranks[from_weakest] = torch.arange(1.0, len(ranks) + 1)
            yield Round(number=total, total=total)

    def restricted(self, mixture: Mixture) -> Restricted:
        """Return the mixture where each choice made has the whole strength of its decision."""
        weights: dict[str, Tensor] = {}
        active: dict[str, list[list[int]]] = {}
        for group, rows in mixture.items():
            weights[group] = rows.clone()
            active[group] = [list(self._choices(group)) for _ in rows]
            for decision, choice in enumerate(self.taken[group].tolist()):
                if choice != UNDECIDED:
                    weights[group][decision] = 0
                    weights[group][decision, choice] = rows[decision].sum()
                    active[group][decision] = [choice]
        return weights, active

    def strengths(self) -> Mapping[str, list[list[float]]]:
        """Return the rank of each decision at its choice, and 0 elsewhere."""
        return {
            group: [
                [rank if choice == taken else 0.0 for choice in self._choices(group)]
                for rank, taken in zip(self.ranks[group].tolist(), self.taken[group].tolist(), strict=True)
            ]
            for group in self.taken
        }

    def state(self) -> dict[str, Tensor]:
        """Return decisions and ranks."""
        return {f"{group}/taken": t for group, t in self.taken.items()} | {
            f"{group}/ranks": r for group, r in self.ranks.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.taken = {group: state[f"{group}/taken"] for group in self.taken}
        self.ranks = {group: state[f"{group}/ranks"] for group in self.ranks}

    def _choices(self, group: str) -> range:
        return range(self.space.decisions[group][1])

    def _without(self, mixture: Mixture, group: str, decision: int, choice: int) -> Restricted:
        weights, active = self.restricted(mixture)
        active[group][decision].remove(choice)
        weights[group][decision, choice] = 0
        return weights, active

    def _dropping(self, mixture: Mixture, group: str, decision: int) -> Restricted:
        weights, active = self.restricted(mixture)
        weights[group][decision] = 0
        return weights, active


def _order(score: tuple[float, float]) -> tuple[float, float]:
    """Return the sort key: by score, the worst first; ties by loss, the highest first."""
    found, loss = score
    return found, -loss
