"""The search that a suggestion service runs, as the `algorithmSettings` of an Experiment.

Whoever makes the Experiment writes them, the service reads them; people may write them by hand.
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
    mistakes,
)

ALGORITHMS = "cellwright-"
"""What the names of our algorithms begin with; the strategy's kind follows."""
OWN_CODE = "CELLWRIGHT_OWN_CODE"
"""The variable of a suggestion image that has code of its owner's: 1 lets requests name it by import path."""
PARAMETERS = ("number", "genotype", "fidelity")
"""What Katib hands to a trial of a sampled search; to one of a one-shot search the number alone."""


class SearchSettings(Section):
    """A search: what it may find, how, and how far Katib runs it in order."""

    strategy: Annotated[StrategySection, STRATEGIES]
    space: Annotated[SpaceSection, SPACES]
    objectives: tuple[ObjectiveSection, ...] = Field(min_length=1)
    """What is optimised, the most important first: that one is the Experiment's objective."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """The spec's."""
    start: tuple[str, ...] = ()
    """Candidates in their one-line form that are tried first."""
    tune: Hyperparameters = {}
    """The values of each hyperparameter that is searched with the architecture."""
    parallel: int = Field(default=1, ge=1)
    """Trials at a time. A suggestion does not know of the last `parallel - 1` to begin, so that it does not matter
    which of several ends first."""
    in_order: bool = True
    """Wait for a trial that takes longer than those after it, so that the same seed gives the same search; else go on
    without what it gives."""

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
        """Return the search of a spec, which tries the candidates first."""
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
        """Return whether a trial is one architecture, not a whole search."""
        return self.strategy.is_sampled

    @property
    def algorithm_name(self) -> str:
        """Return the name that the service is registered under for this strategy."""
        return ALGORITHMS + self.strategy.kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the Experiment's parameters."""
        return PARAMETERS if self.is_sampled else PARAMETERS[:1]

    def build_objectives(self) -> list[Objective]:
        """Return the objectives as strategies take them."""
        return build_objectives(self.objectives)

    def build_space(self) -> CandidateSpace:
        """Return the space of candidates; raises CellwrightError."""
        return CandidateSpace(build_space(self.space), self.tune)

    def to_settings(self) -> dict[str, str]:
        """Return the settings, one JSON text for each field, defaults included.

        Keys keep their order: hyperparameters are drawn in that of `tune`.
        """
        return {
            name: json.dumps(value, separators=(",", ":"), allow_nan=False)
            for name, value in self.model_dump(mode="json").items()
        }

    @classmethod
    def refuse_own_code(cls, settings: Mapping[str, str]) -> None:
        """Refuse kinds that are named by import path, before anything is imported; raises CellwrightError."""
        for name, text in settings.items():
            with suppress(ValueError):  # refused when it is read
                for path in _import_paths(_value(name, text)):
                    raise CellwrightError(
                        f"{name}: kind must be a built-in one, got {path!r}: code of your own runs only in an image "
                        f"that sets {OWN_CODE}=1"
                    )

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], objective: Mapping[str, Any] | None = None) -> Self:
        """Read what `to_settings` wrote, or a person, who may give a kind alone and omit the quotes of texts.

        Args:
            settings: JSON texts by the names of the fields.
            objective: the only objective, for settings without `objectives`.

        Raises:
            CellwrightError: names each setting that breaks a rule, its value and the rule.
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
            raise CellwrightError("; ".join(mistakes(error, values, cls))) from error


def _import_paths(value: Any) -> Iterator[str]:
    """Yield the kinds within the value that are import paths."""
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
    """Return the value that a setting's text stands for; raises ValueError where it is broken JSON."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError:
        if text.lstrip().startswith(("{", "[", '"')):
            raise
        value = text
    return {"kind": value} if name in ("strategy", "space") and isinstance(value, str) else value
