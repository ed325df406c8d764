"""The search that a suggestion service runs, stored as the `algorithmSettings` of an Experiment.

The settings are written by the code that creates the Experiment, or by hand, and read by the service.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Objective, build_objectives
from cellwright.spaces import CandidateSpace, build_space
from cellwright.spec import (
    SPACES,
    STRATEGIES,
    Hyperparameters,
    ObjectiveSection,
    SearchSpec,
    Section,
    SpaceSection,
    StrategySection,
    describe_errors,
)

ALGORITHMS = "cellwright-"
"""Prefix of our algorithms' names, followed by the kind of strategy."""
OWN_CODE = "CELLWRIGHT_OWN_CODE"
"""Environment variable of a suggestion image with custom code: 1 allows requests to name it by import path."""
PARAMETERS = ("number", "genotype", "fidelity")
"""Parameters that Katib passes to a trial of a sampled search; a one-shot search has only the number."""


class SearchSettings(Section):
    """A search: its space, strategy and objectives, and how strictly Katib follows their order."""

    strategy: Annotated[StrategySection, STRATEGIES]
    space: Annotated[SpaceSection, SPACES]
    objectives: tuple[ObjectiveSection, ...] = Field(min_length=1)
    """The objectives, the most important one first; that one is the Experiment's objective."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """The spec's seed."""
    start: tuple[str, ...] = ()
    """Lines of the candidates to try first."""
    tune: Hyperparameters = {}
    """The possible values of each hyperparameter that is searched with the architecture."""
    parallel: int = Field(default=1, ge=1)
    """Number of parallel trials. A suggestion does not depend on the last `parallel - 1` trials, so the order in which
    they end does not matter."""
    in_order: bool = True
    """Whether to wait for a trial that takes longer than later ones, so that the same seed gives the same search.
    Otherwise, the search continues without its result."""

    @field_validator("strategy")
    @classmethod
    def _strategy_suits_katib(cls, strategy: StrategySection) -> StrategySection:
        if strategy.continues:
            raise ValueError(
                f"must be a strategy that Katib can run, got {strategy.kind}, which trains in slices: its "
                "trials run as Jobs"
            )
        return strategy

    @classmethod
    def of(cls, spec: SearchSpec, start: Sequence[Candidate] = ()) -> Self:
        """Return the search of a spec, which tries the candidates in `start` first."""
        return cls(
            strategy=spec.strategy,
            space=spec.space,
            objectives=spec.objectives,
            seed=spec.seed,
            start=tuple(candidate.line for candidate in start),
            tune=spec.hyperparameters,
            parallel=spec.runner.parallel,
            in_order=True,
        )

    @property
    def is_sampled(self) -> bool:
        """Return whether a trial evaluates one architecture, not a whole search."""
        return self.strategy.is_sampled

    @property
    def algorithm_name(self) -> str:
        """Return the name that this strategy has in Katib's configuration."""
        return ALGORITHMS + self.strategy.kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the Experiment's parameters."""
        return PARAMETERS if self.is_sampled else PARAMETERS[:1]

    def build_objectives(self) -> list[Objective]:
        """Build the objectives."""
        return build_objectives(self.objectives)

    def build_space(self) -> CandidateSpace:
        """Build the space of candidates; raises CellwrightError."""
        return CandidateSpace(build_space(self.space), self.tune)

    def to_settings(self) -> dict[str, str]:
        """Return the settings as one JSON text for each field, including defaults.

        Keys are not sorted, since hyperparameters are drawn in the order of `tune`.
        """
        return {
            name: json.dumps(value, separators=(",", ":"), allow_nan=False)
            for name, value in self.model_dump(mode="json").items()
        }

    @classmethod
    def refuse_own_code(cls, settings: Mapping[str, str]) -> None:
        """Reject kinds that are named by import path, before anything is imported; raises CellwrightError."""
        for name, text in settings.items():
            with suppress(ValueError):  # reported when the settings are read
                for path in _import_paths(_value(name, text)):
                    raise CellwrightError(
                        f"{name}: kind must be a built-in one, got {path!r}: code of your own runs only in an image "
                        f"that sets {OWN_CODE}=1"
                    )

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], objective: Mapping[str, Any] | None = None) -> Self:
        """Read settings from `to_settings`, or written by hand: these may be only a kind, and omit quotes of strings.

        Args:
            settings: JSON texts by field.
            objective: the only objective, for settings without `objectives`.

        Raises:
            CellwrightError: names each invalid setting, its value and the rule.
        """
        values: dict[str, Any] = {} if objective is None else {"objectives": [objective]}
        broken = []
        for name, text in settings.items():
            try:
                values[name] = _value(name, text)
            except ValueError as error:
                broken.append(f"{name}: must be JSON, got {text!r:.80}: {error}")
        if broken:
            raise CellwrightError("; ".join(broken))
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise CellwrightError("; ".join(describe_errors(error, values, cls))) from error


def _import_paths(value: Any) -> Iterator[str]:
    """Yield all kinds within the value that are import paths."""
    match value:
        case {"kind": str(kind)} if ":" in kind:
            yield kind
        case dict():
            for member in value.values():
                yield from _import_paths(member)
        case list():
            for member in value:
                yield from _import_paths(member)


def _value(name: str, text: str) -> Any:
    """Parse the text of a setting; raises ValueError if it is invalid JSON."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError:
        if text.lstrip().startswith(("{", "[", '"')):
            raise
        value = text
    return {"kind": value} if name in ("strategy", "space") and isinstance(value, str) else value
