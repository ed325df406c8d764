"""Converts suggestions and evaluations to Katib's parameters and metrics, which are all strings, and back."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import FULL, Evaluation, Fidelity, Objective, State, Suggestion

STATE, SECONDS = "state", "seconds"
"""Metrics that a trial reports besides its own: the evaluation's state and its duration."""
ENDS: dict[str, State] = {state: state for state in get_args(State) if state != "running"}
UNAVAILABLE = "unavailable"
"""Katib's value of a metric that was not reported."""
UNMEASURED = {"maximize": "-inf", "minimize": "inf"}
"""Reported for an objective without a measurement, since Katib hides trials without one from the suggestion service."""
MOMENT = 1.0
"""Minimum duration of a trial that did not report one, since 0 would mean that nothing was trained."""


def assign(suggestion: Suggestion) -> dict[str, str]:
    """Return the parameters of a suggestion's trial."""
    return {
        "number": str(suggestion.number),
        "genotype": suggestion.candidate.line,
        "fidelity": format_fidelity(suggestion.fidelity),
    }


def read_suggestion(assignments: Mapping[str, str]) -> Suggestion:
    """Read the output of `assign`; raises CellwrightError."""
    number = read_number(assignments)
    missing = [name for name in ("genotype", "fidelity") if name not in assignments]
    if missing:
        raise CellwrightError(
            f"trial {number} must have the parameters genotype and fidelity, lacks {', '.join(missing)}"
        )
    return Suggestion(
        number=number,
        candidate=Candidate.from_line(assignments["genotype"]),
        fidelity=read_fidelity(assignments["fidelity"]),
    )


def read_number(assignments: Mapping[str, str]) -> int:
    """Return the index of a trial's suggestion; raises CellwrightError."""
    text = assignments.get("number", "")
    if not (text.isascii() and text.isdecimal()):
        raise CellwrightError(f"a trial's parameter number must be a whole number from 0, got {text!r}")
    return int(text)


def format_fidelity(fidelity: Fidelity) -> str:
    """Return `full`, or the fractions below 1, such as `epochs:0.5,data:0.25`."""
    shares = {name: getattr(fidelity, name) for name in Fidelity.__slots__}
    return ",".join(f"{name}:{share!r}" for name, share in shares.items() if share != 1) or "full"


def read_fidelity(text: str) -> Fidelity:
    """Read the output of `format_fidelity`; raises CellwrightError."""
    if text == "full":
        return FULL
    try:
        shares = [part.split(":") for part in text.split(",")]
        return Fidelity(**{name: float(share) for name, share in shares})
    except (TypeError, ValueError) as error:
        raise CellwrightError(
            f"fidelity must be 'full' or shares of {', '.join(Fidelity.__slots__)} above 0 and at most 1, such as "
            f"'epochs:0.5,data:0.25', got {text!r}"
        ) from error


def observation(evaluation: Evaluation, objectives: Iterable[Objective]) -> list[tuple[str, str]]:
    """Return the metrics that the trial of a finished evaluation reports, including each objective."""
    unmeasured = {o.metric: UNMEASURED[o.direction] for o in objectives}
    measured = {name: repr(float(value)) for name, value in _finite(evaluation.metrics).items()}
    outcome = {STATE: evaluation.state, SECONDS: repr(float(evaluation.seconds))}
    return list({**unmeasured, **measured, **outcome}.items())


def read_evaluation(
    suggestion: Suggestion,
    condition: str,
    reported: Mapping[str, str],
    objectives: Sequence[Objective],
    *,
    seconds: float,
) -> Evaluation:
    """Return the evaluation of a suggestion.

    Args:
        suggestion: the suggestion of the trial.
        condition: the trial's latest condition in Katib.
        reported: the trial's metrics.
        objectives: the metrics that the trial must have.
        seconds: duration of the trial as measured from outside, used if the trial did not report one.
    """
    match condition.lower():
        case "succeeded":
            return _read_observation(suggestion, reported, objectives, max(seconds, MOMENT))
        case "failed" | "killed" | "earlystopped" as end:
            reason = f"its trial ended as {end}"
            return replace(suggestion.running, state="failed", seconds=max(seconds, MOMENT), reason=reason)
        case _:
            return suggestion.running


def _read_observation(
    suggestion: Suggestion, reported: Mapping[str, str], objectives: Sequence[Objective], seconds: float
) -> Evaluation:
    available = {name: value for name, value in reported.items() if value != UNAVAILABLE}
    word = available.pop(STATE, "done")
    metrics = _finite({name: _float(value) for name, value in available.items()})
    seconds = metrics.pop(SECONDS, seconds)
    missing = [objective.metric for objective in objectives if objective.metric not in metrics]
    state, reason = ENDS.get(word, "failed"), None
    if word not in ENDS:
        reason = f"its trial reported the state {word!r}"
    elif state == "done" and missing:
        state, reason = "failed", f"its trial reported no {', '.join(missing)}"
    return replace(
        suggestion.running,
        state=state,
        metrics=metrics,
        seconds=max(seconds, MOMENT) if reason else seconds,
        reason=reason,
    )


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
