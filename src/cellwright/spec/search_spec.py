"""The whole spec."""

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from cellwright.canonical import digest
from cellwright.errors import CellwrightError
from cellwright.spec.data import DataSection
from cellwright.spec.estimators import (
    COSTS,
    AnyPick,
    BestPick,
    Constraints,
    EstimatorSection,
    ObjectiveSection,
)
from cellwright.spec.families import ESTIMATORS, RUNNERS, SOURCES, SPACES, STRATEGIES, TASKS
from cellwright.spec.form import Form
from cellwright.spec.gate import MEASURED, Gate
from cellwright.spec.platform import Pipeline, Register, Resources, Tracking
from cellwright.spec.policy import Policy
from cellwright.spec.retrain import Evaluate, Retrain
from cellwright.spec.runner import RunnerSection
from cellwright.spec.section import Section
from cellwright.spec.space import SpaceSection
from cellwright.spec.start import Start
from cellwright.spec.store import StoreSection
from cellwright.spec.strategy import Budget, StrategySection
from cellwright.spec.task import TaskSection
from cellwright.spec.tune import Hyperparameters, Tune

OF_SEARCH = ("strategy", "budget", "estimators", "tune")
"""The sections of the search itself."""


class SearchSpec(Section):
    """A complete configuration: data, search, retraining, evaluation and registration."""

    name: Annotated[
        str,
        Form(
            r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
            "1 to 40 small letters, digits and hyphens, without a hyphen at either end",
        ),
    ]
    """Name of the pipeline, its MLflow experiment and its registered model."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of all randomness in the search and the retraining."""
    data: Annotated[DataSection, SOURCES]
    """The examples: where they are, how they are read, and how they are split."""
    augment: Annotated[TaskSection, TASKS] = Field(default_factory=dict, validate_default=True)
    """Random augmentation of training examples, in both the search and the retraining. Its keys depend on the task."""
    space: Annotated[SpaceSection, SPACES] = Field(default_factory=SPACES.default)
    """Which architectures there are."""
    strategy: Annotated[StrategySection, STRATEGIES] = Field(default_factory=dict, validate_default=True)
    """How the space is searched."""
    budget: Budget = Budget()
    estimators: tuple[Annotated[EstimatorSection, ESTIMATORS], ...] = Field(
        default_factory=lambda: (ESTIMATORS.default(),)
    )
    """Estimators that score the architectures of a sampled search. Each receives what the one before has passed."""
    objectives: tuple[ObjectiveSection, ...] = Field(
        default_factory=tuple, min_length=1, validate_default=True
    )
    """The objectives of a sampled search, the most important one first. Several objectives give a Pareto front."""
    pick: AnyPick = BestPick()
    """Which member of a Pareto front becomes the network."""
    constraints: Constraints = Constraints()
    tune: Tune | None = None
    start: Start = Start()
    runner: Annotated[RunnerSection, RUNNERS] = Field(default_factory=RUNNERS.default)
    """Where trials run. A trial is one evaluation of a sampled search, or a whole one-shot search for one seed."""
    store: StoreSection | None = None
    """Storage for the files that steps and trials on a cluster share."""
    retrain: Retrain = Retrain()
    evaluate: Evaluate = Evaluate()
    gate: Gate | None = None
    policy: Policy | None = None
    register_: Register = Field(default=Register(), alias="register")
    tracking: Tracking = Tracking()
    resources: Resources = Resources()
    profiles: Path | None = None
    """A file with the user's own resource profiles: a mapping from names to values of `resources`."""
    pipeline: Pipeline = Pipeline()

    @model_validator(mode="before")
    @classmethod
    def _with_defaults_of_the_task(cls, values: Any) -> Any:
        """Set omitted keys to the task's defaults.

        With the user's own strategy, the defaults of sections that depend on the strategy are not set.
        """
        if not isinstance(values, Mapping):
            return values
        try:
            task = TASKS.section_type(SOURCES.validate(values.get("data")).task_kind)
        except (CellwrightError, PydanticCustomError, PydanticKnownError, ValueError):
            return values  # errors are reported when `data` is validated
        of_search = {} if "strategy" in values else {name: task.defaults.get(name) for name in OF_SEARCH}
        given = {name: value for name, value in of_search.items() if value is not None}
        if "space" in task.defaults:
            given["space"] = task.defaults["space"]
        filled = {**given, **values}
        retrain = values.get("retrain", {})
        if isinstance(retrain, Mapping) and "retrain" in task.defaults:
            filled["retrain"] = {**task.defaults["retrain"], **retrain}
        return filled

    @field_validator("strategy", mode="before")
    @classmethod
    def _usual_strategy(cls, value: Any, info: ValidationInfo) -> Any:
        """Use the space's default strategy if none is named."""
        usual = getattr(info.data.get("space"), "strategy", None)
        return {"kind": usual} | value if usual and isinstance(value, dict) else value

    @field_validator("objectives", mode="before")
    @classmethod
    def _default_objective(cls, value: Any, info: ValidationInfo) -> Any:
        """Use the task's objective if no metric is named."""
        if not isinstance(value, list | tuple):
            return value
        augment = info.data.get("augment")
        default = {"metric": augment.objective if augment else "unknown"}  # that error is already reported
        return [default | one if isinstance(one, dict) else one for one in value or ({},)]

    @model_validator(mode="after")
    def _race_is_whole(self) -> Self:
        if not self.strategy.continues:
            if self.start.weights:
                raise ValueError(
                    f"start.weights is for strategy.kind race, got {self.strategy.kind}; retrain.start is for others"
                )
            if self.budget.seconds is not None and not self.strategy.cuts:
                raise ValueError(
                    "budget.minutes and budget.gpu_hours are for strategy.kind race and elastic, got "
                    f"{self.strategy.kind}; budget.max_seconds stops others"
                )
            return self
        for name in ("objectives", "pick", "tune"):
            if getattr(self, name) != self._default(name):
                raise ValueError(f"{name} must be left out: strategy.kind {self.strategy.kind} has none")
        if self.start.search or self.start.genotypes:
            raise ValueError(
                f"start may have model alone: strategy.kind {self.strategy.kind} races one more network"
            )
        for section in self.estimators:
            if section.runs_in_trials(is_remote=True) and section != ESTIMATORS.default():
                raise ValueError(
                    f"estimators must omit {section.kind}: strategy.kind {self.strategy.kind} trains by itself"
                )
        if self.retrain.start is not None:
            raise ValueError(
                f"retrain.start must be left out: strategy.kind {self.strategy.kind} continues its own training"
            )
        return self

    @model_validator(mode="after")
    def _elastic_search_is_whole(self) -> Self:
        kind = self.strategy.kind
        if not self.strategy.cuts:
            return self
        if self.space.kind != "stages":
            raise ValueError(f"space.kind must be stages for strategy.kind {kind}, got {self.space.kind}")
        if self.tune is not None:
            raise ValueError(f"tune must be left out: strategy.kind {kind} has none")
        if self.runner.is_remote:
            raise ValueError(
                f"runner.kind must be local: strategy.kind {kind} trains in the search step itself, got "
                f"{self.runner.kind}"
            )
        if self.start.search:
            raise ValueError(
                f"start.search must be left out: strategy.kind {kind} has no alphas to take over"
            )
        if self.retrain.start is not None and not self.start.only:
            raise ValueError(f"retrain.start must be left out: strategy.kind {kind} has trained its networks")
        return self

    @model_validator(mode="after")
    def _space_serves_the_task(self) -> Self:
        spaces = self.augment.spaces
        if spaces and self.space.kind in SPACES.kinds and self.space.kind not in spaces:
            raise ValueError(
                f"space.kind must be one of {', '.join(spaces)} for {self.augment.task}, got {self.space.kind}"
            )
        return self

    @model_validator(mode="after")
    def _has_the_classical_models(self) -> Self:
        known, baseline = self.augment.classical, self.evaluate.baseline
        for name in baseline.classical or ():
            if name not in known:
                raise ValueError(
                    f"evaluate.baseline.classical must be among {', '.join(known) or 'none'}, got {name!r}"
                )
        if baseline.classical is None:
            default = baseline.model_copy(update={"classical": known})
            object.__setattr__(self, "evaluate", self.evaluate.model_copy(update={"baseline": default}))
        return self

    @model_validator(mode="after")
    def _has_the_hand_designed_network(self) -> Self:
        known, baseline = self.augment.hand_designed, self.evaluate.baseline
        if self.strategy.continues or self.strategy.cuts:
            raced = {"random_architectures": 0, "hand_designed": None}
            given = {name: getattr(baseline, name) for name in baseline.model_fields_set}
            baseline = baseline.model_copy(update=raced | given)
            object.__setattr__(self, "evaluate", self.evaluate.model_copy(update={"baseline": baseline}))
        if baseline.hand_designed is None or baseline.hand_designed in known:
            return self
        if "hand_designed" in baseline.model_fields_set:
            raise ValueError(
                f"evaluate.baseline.hand_designed must be one of {', '.join(known) or 'none'}, or null, "
                f"got {baseline.hand_designed!r}"
            )
        default = baseline.model_copy(update={"hand_designed": next(iter(known), None)})
        object.__setattr__(self, "evaluate", self.evaluate.model_copy(update={"baseline": default}))
        return self

    @model_validator(mode="after")
    def _gate_bounds_what_is_measured(self) -> Self:
        if self.gate is None or not self.augment.metrics:
            return self
        known = (*self.augment.metrics, *MEASURED)
        for key in ("at_least", "at_most"):
            for name in getattr(self.gate, key):
                if name not in known:
                    raise ValueError(f"gate.{key}: {name} must be one of {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _can_be_resized(self) -> Self:
        self.space.resized(num_cells=self.retrain.num_cells, channels=self.retrain.channels)
        return self

    @model_validator(mode="after")
    def _has_a_supernet_where_it_is_needed(self) -> Self:
        if self.space.has_supernet or self.strategy.cuts:
            return self
        if not self.is_sampled:
            raise ValueError(
                f"strategy.kind must be a sampled one, such as regularized-evolution: space.kind {self.space.kind} has "
                f"no supernet, which {self.strategy.kind} trains"
            )
        if any(section.kind == "shared-weights" for section in self.estimators):
            raise ValueError(
                f"estimators must be without shared-weights: space.kind {self.space.kind} has no supernet"
            )
        return self

    @model_validator(mode="after")
    def _sampled_search_is_whole(self) -> Self:
        if not self.is_sampled:
            tunes_after = self.tune is not None and self.tune.when == "after"
            trials = () if tunes_after else ("estimators", "objectives", "pick", "constraints", "tune")
            here = () if tunes_after or self.runner.is_remote else ("runner",)
            for name in (*trials, *here):
                if getattr(self, name) != self._default(name):
                    raise ValueError(
                        f"{name} must be omitted: strategy.kind {self.strategy.kind} is one-shot"
                    )
            if not self.start.only and self.start != Start(search=self.start.search):
                raise ValueError(
                    "start may have search alone, whose alphas are taken over: strategy.kind "
                    f"{self.strategy.kind} is one-shot"
                )
            if not tunes_after:
                return self
        for section in self.estimators[:-1]:
            if section.runs_in_trials(is_remote=False):
                raise ValueError(f"estimators must have {section.kind} last: it is what the others save")
        self._check_metrics()
        return self

    @model_validator(mode="after")
    def _can_run_on_a_cluster(self) -> Self:
        if self.runner.needs_store and self.store is None:
            raise ValueError(
                f"store is required: trials of runner.kind {self.runner.kind} run on other machines"
            )
        if not self.runner.is_remote:
            return self
        if self.start.search and not self.is_sampled:
            raise ValueError(
                "start.search must be omitted: it is a folder of this machine, and a one-shot search with runner.kind "
                f"{self.runner.kind} is done elsewhere"
            )
        if self.has_trials and self.trial_estimator is None:
            raise ValueError(
                "estimators must have one that is measured in trials last, such as short-training, for runner.kind "
                f"{self.runner.kind}: the others are estimated by the search itself, got {self.estimators[-1].kind}"
            )
        return self

    def _default(self, name: str) -> Any:
        """Return the default of a field."""
        if name == "objectives":
            return (ObjectiveSection(metric=self.augment.objective),)
        return type(self).model_fields[name].get_default(call_default_factory=True)

    def _check_metrics(self) -> None:
        """Check that every requested metric is measured."""
        measured = {*COSTS, *(name for e in self.estimators for name in e.metrics(self.augment.objective))}
        objectives = {objective.metric for objective in self.objectives}
        asked = {
            "objectives": objectives,
            "constraints": self.constraints.model_dump(exclude_none=True).keys(),
        }
        for location, names in asked.items():
            for name in sorted(names - measured):
                raise ValueError(
                    f"{location}: {name} must be measured by one of the estimators, which give "
                    f"{', '.join(sorted(measured))}"
                )
        limits = getattr(self.pick, "limits", getattr(self.pick, "weights", {}))
        for name in sorted(limits.keys() - objectives):
            raise ValueError(f"pick: {name} must be an objective, of {', '.join(sorted(objectives))}")

    @model_validator(mode="after")
    def _can_be_tuned(self) -> Self:
        for key, values in self.tune.values.items() if self.tune else ():
            for value in values:
                try:
                    self.tuned({key: value})
                except ValidationError as error:
                    reason = error.errors(include_url=False)[0]
                    raise ValueError(f"tune.values: {key} {reason['msg']}, got {value!r}") from error
        return self

    def tuned(self, values: Mapping[str, Any]) -> Self:
        """Return the spec with other values of keys such as `retrain.learning_rate`; raises ValidationError."""
        sections: dict[str, Section] = {}
        for key, value in values.items():
            section, _, name = key.partition(".")
            section_now = sections.get(section, getattr(self, section))
            sections[section] = type(section_now).model_validate({**section_now.model_dump(), name: value})
        return self.model_copy(update=sections)

    def has_default(self, key: str) -> bool:
        """Return whether a key such as `retrain.mixup` has its default."""
        section, _, name = key.partition(".")
        now = getattr(self, section)
        return bool(getattr(now, name) == type(now).model_fields[name].default)

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Return the hyperparameters that are searched together with the architecture."""
        return self.tune.values if self.tune and self.tune.when == "with" else {}

    @property
    def is_sampled(self) -> bool:
        """Return whether architectures are evaluated one by one, not in one supernet."""
        return self.strategy.is_sampled

    @property
    def has_trials(self) -> bool:
        """Return whether architectures, or hyperparameters, are evaluated one by one."""
        return self.is_sampled or self.strategy.cuts or self.tune is not None

    @property
    def trial_estimator(self) -> EstimatorSection | None:
        """Return the estimator that runs in trials; those before it run in the search's own process."""
        last = self.estimators[-1]
        return last if last.runs_in_trials(is_remote=self.runner.is_remote) else None

    @property
    def trial_resources(self) -> Resources:
        """Return the resources of one trial."""
        return self.runner.trial_resources(self.resources)

    def step_resources(self, step: str) -> Resources:
        """Return the resources of a step as a task of a pipeline."""
        return self.pipeline.resources.get(step, self.resources)

    def gpus_of(self, step: str) -> int:
        """Return the number of GPUs that a step and its trials elsewhere may use at a time."""
        own = self.step_resources(step)
        if step != "search" or not self.is_sampled or not self.runner.is_remote:
            return own.gpus
        return own.gpus + self.runner.parallel * self.runner.trial_resources(own).gpus

    @property
    def final_space(self) -> SpaceSection:
        """Return the space at the size of the final network."""
        return self.space.resized(num_cells=self.retrain.num_cells, channels=self.retrain.channels)

    @property
    def parts(self) -> tuple[Section, ...]:
        """Return the sections; in a view, only those that it has."""
        values = (value if isinstance(value, tuple) else (value,) for value in self.__dict__.values())
        return tuple(part for value in values for part in value if isinstance(part, Section))

    @property
    def imports(self) -> tuple[str, ...]:
        """Return the import paths of the users' own code."""
        return tuple(path for part in self.parts for path in part.imports)

    @property
    def model_name(self) -> str:
        """Return the name of the registered model."""
        return self.register_.name or self.name

    @property
    def digest(self) -> str:
        """Return 16 hex digits that identify this spec, including defaults, wherever it is tracked."""
        return digest(self.model_dump(mode="json", by_alias=True, exclude={"tracking"}))

    def completed(self, environ: MutableMapping[str, str], *, kfp_run_id: str | None = None) -> Self:
        """Return the spec with tracking configured from the environment; see `Tracking.completed`."""
        tracking = self.tracking.completed(environ, kfp_run_id=kfp_run_id)
        return self.model_copy(update={"tracking": tracking})
