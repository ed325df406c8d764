"""The `augment` section, whose keys depend on the task of the data."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from cellwright.spec.data import DataSection
from cellwright.spec.family import Family
from cellwright.spec.section import Section

CLASSIFICATION = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "auc",
    "log_loss",
    "calibration_error",
    "worst_class",
)
REGRESSION = ("r2", "rmse", "mae")
LABELS = ("average_precision", "micro_f1", "macro_f1", "subset_accuracy", "log_loss")


class TaskSection(Section):
    """Settings of a task: random augmentation of training examples that keeps their targets valid."""

    implementation: ClassVar[str]
    """Import path of the task's class."""
    objective: ClassVar[str]
    """Name of the task's first metric, which is maximised unless `objectives` sets another direction."""
    metrics: ClassVar[tuple[str, ...]] = ()
    """Names of all that the task measures on the test split; empty if that is not known before."""
    hand_designed: ClassVar[tuple[str, ...]] = ()
    """Names of the task's hand-designed networks; the first is the default."""

    classical: ClassVar[tuple[str, ...]] = ()
    """Names of the task's models that are not neural networks; the first is the default."""
    spaces: ClassVar[tuple[str, ...]] = ()
    """Built-in spaces that serve the task; empty for all."""
    decoder: ClassVar[str | None] = None
    """Import path of a function of a `ModelInfo` that returns what reads an example from the content of a file, as in
    training and without torch; that raises DataError. None if the examples of the task are no files."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Defaults for other sections that the spec omits, and for single keys of `retrain`."""
    many_epochs: ClassVar[Mapping[str, float]] = {}
    """Values of keys of `retrain` and `augment` that do better than their defaults where each example is seen often."""
    IMPLIED = ("task",)

    task: str
    """The task's kind, or the import path of this section. Specs never set it, since `data` determines it."""


class TaskFamily(Family[TaskSection]):
    """The tasks. No key of the section names the task, since the spec's `data` determines it.

    Args:
        base: base class of the tasks' sections.
        kinds: import path of each built-in task's section, by name.
        sources: the data sources, which name their task.
    """

    def __init__(
        self, base: type[TaskSection], kinds: Mapping[str, str], *, sources: Family[DataSection]
    ) -> None:
        super().__init__(base, kinds)
        self._sources = sources

    def kind_in(self, section: Any, spec: Any) -> str:
        """Return the task of the spec's `data`."""
        data = spec.get("data") if isinstance(spec, Mapping) else None
        return self._sources.section_type(self._sources.kind_in(data, spec)).task

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate the field by the `data` before it, and serialise it by its actual type."""
        return core_schema.with_info_plain_validator_function(
            self._of_the_data, serialization=core_schema.simple_ser_schema("any")
        )

    def _of_the_data(self, value: Any, info: ValidationInfo) -> TaskSection | None:
        """Return the section; None if the data is invalid, which is already reported."""
        if (data := info.data.get("data")) is None:
            return None
        if not isinstance(value, Mapping | self.base):
            raise PydanticCustomError("mapping", "must be a mapping of keys to values")
        if isinstance(value, Mapping) and value.get("task", data.task_kind) != data.task_kind:
            raise PydanticCustomError(
                "another_task",
                f"task must be omitted, or be that of the data, {data.task_kind}, got {value['task']!r}",
            )
        return self.section_type(data.task_kind).model_validate(value)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the sections of the built-in tasks; those of the user's own may have any keys."""
        built_in = [handler(section.__pydantic_core_schema__) for section in self.section_types()]
        return {"anyOf": [*built_in, {"type": "object"}]}
