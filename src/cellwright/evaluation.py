"""Evaluations of the candidates of a sampled search, and the objectives that they are compared by."""

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
"""`infeasible`: breaks a constraint. `pruned`: rejected by an estimator, or stopped early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """A metric to optimise."""

    metric: str
    direction: Literal["maximize", "minimize"] = "maximize"

    def score(self, metrics: Mapping[str, float]) -> float:
        """Return the metric as a score, where higher is better."""
        return metrics[self.metric] if self.direction == "maximize" else -metrics[self.metric]


def build_objectives(sections: Iterable[ObjectiveSection]) -> list[Objective]:
    """Build the objectives of a spec."""
    return [Objective(metric=section.metric, direction=section.direction) for section in sections]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fidelity:
    """The cost of one evaluation, as fractions of a full one."""

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
    """The evaluation of one candidate of a search."""

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    number: int
    """Index of the suggestion, counted from 0. Evaluations may finish in another order."""
    candidate: CandidateLine
    state: State = "done"
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Validation metrics; includes every objective once the evaluation is done."""
    fidelity: Fidelity = FULL
    repeat: int = 0
    """0 for the first evaluation. Higher numbers repeat it with a fresh seed, to rule out luck."""
    curve: tuple[float, ...] = ()
    """The first objective's metric after each epoch."""
    losses: tuple[float, ...] = ()
    """Loss of each validation example, for strategies that compare networks by them."""
    seconds: float = 0.0
    reason: str | None = None
    """Why the evaluation failed, was pruned or is infeasible."""

    @property
    def was_started(self) -> bool:
        """Return whether the candidate passed the screening, or is still in it."""
        return self.state in ("running", "done") or self.seconds > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A candidate that a strategy wants evaluated, and at which fidelity."""

    number: int
    """Index of the suggestion, counted from 0."""
    candidate: Candidate
    fidelity: Fidelity = FULL

    @property
    def running(self) -> Evaluation:
        """Return an evaluation in state `running`."""
        return Evaluation(
            number=self.number, candidate=self.candidate, fidelity=self.fidelity, state="running"
        )

    def done(self, metrics: Mapping[str, float]) -> Evaluation:
        """Return a finished evaluation with the given metrics."""
        return replace(self.running, state="done", metrics=metrics)


def without_incomparable(evaluation: Evaluation, objectives: Iterable[Objective]) -> Evaluation:
    """Return the evaluation; if an objective is not finite, which cannot be compared, in state `pruned`."""
    known = {o.metric: evaluation.metrics[o.metric] for o in objectives if o.metric in evaluation.metrics}
    broken = [f"{name} must be finite, got {value:g}" for name, value in known.items() if not isfinite(value)]
    return replace(evaluation, state="pruned", reason="; ".join(broken)) if broken else evaluation


EvaluationLine = TypeAdapter(Evaluation)
"""Reads and writes evaluations as JSON."""


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write the evaluation as a JSON file."""
    write_text(path, EvaluationLine.dump_json(evaluation).decode())


def load_evaluation(path: Path) -> Evaluation:
    """Read a file written by `save_evaluation`; raises CellwrightError naming the file."""
    try:
        return EvaluationLine.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CellwrightError(f"{path} must hold an evaluation: {reason_of(error)}") from error
