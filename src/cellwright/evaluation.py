"""What a sampled search learns about one candidate, and what it is after."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter

from cellwright.candidate import Candidate, CandidateLine
from cellwright.errors import CellwrightError
from cellwright.files import reason_of, write_text
from cellwright.spec import ObjectiveSection

State = Literal["running", "done", "failed", "infeasible", "pruned"]
"""`infeasible` breaks a constraint; `pruned` was left out by an estimator or stopped early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """A metric to optimise."""

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"

    def score(self, metrics: Mapping[str, float]) -> float:
        """Return the metric turned so that more is better."""
        return metrics[self.metric] if self.direction == "maximize" else -metrics[self.metric]


def build_objectives(sections: Iterable[ObjectiveSection]) -> list[Objective]:
    """Return what the `objectives` of a spec ask for."""
    return [Objective(metric=section.metric, direction=section.direction) for section in sections]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fidelity:
    """The cost of one evaluation, as shares of the full one."""

    epochs: float = 1.0
    data: float = 1.0
    resolution: float = 1.0
    channels: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, got {getattr(self, name)}")


FULL = Fidelity()


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One candidate, suggested as the `number`-th of a search, and what became of it."""

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    number: int
    """Place in the order of suggestions, counted from 0: the search's clock, whatever finishes first."""
    candidate: CandidateLine
    state: State = "done"
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Measured on validation; holds every objective's metric when done."""
    fidelity: Fidelity = FULL
    repeat: int = 0
    """0 as it was suggested; from 1 on, scored once more on a fresh seed to see whether it was lucky."""
    curve: tuple[float, ...] = ()
    """The first objective's metric after each epoch."""
    losses: tuple[float, ...] = ()
    """The loss on each validation example, where a race compares networks by them."""
    seconds: float = 0.0
    reason: str | None = None
    """Why it failed, was pruned or is infeasible."""

    @property
    def was_begun(self) -> bool:
        """Tell whether it passed the screen, or still may."""
        return self.state in ("running", "done") or self.seconds > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A candidate that a strategy wants evaluated, and how thoroughly."""

    number: int
    """Place in the order of suggestions, counted from 0."""
    candidate: Candidate
    fidelity: Fidelity = FULL

    @property
    def running(self) -> Evaluation:
        """Return the evaluation as it is while under way."""
        return Evaluation(
            number=self.number, candidate=self.candidate, fidelity=self.fidelity, state="running"
        )

    def done(self, metrics: Mapping[str, float]) -> Evaluation:
        """Return the evaluation with what was measured."""
        return replace(self.running, state="done", metrics=metrics)


def without_incomparable(evaluation: Evaluation, objectives: Iterable[Objective]) -> Evaluation:
    """Return the evaluation, pruned where it has an objective that is not finite, which cannot be compared."""
    known = {o.metric: evaluation.metrics[o.metric] for o in objectives if o.metric in evaluation.metrics}
    broken = [f"{name} must be finite, got {value:g}" for name, value in known.items() if not isfinite(value)]
    return replace(evaluation, state="pruned", reason="; ".join(broken)) if broken else evaluation


EvaluationLine = TypeAdapter(Evaluation)
"""Evaluations as JSON."""


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write the evaluation as a JSON file."""
    write_text(path, EvaluationLine.dump_json(evaluation).decode())


def load_evaluation(path: Path) -> Evaluation:
    """Read what `save_evaluation` wrote; raises CellwrightError naming the file."""
    try:
        return EvaluationLine.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CellwrightError(f"{path} must hold an evaluation: {reason_of(error)}") from error
