"""The `augment` section, whose keys depend on the task that the data is for."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from cellwright.spec.data import DataSection
from cellwright.spec.family import Family
from cellwright.spec.section import Section


class TaskSection(Section):
    """What a spec says about a task: random changes to training examples that leave their targets true."""

    implementation: ClassVar[str]
    """The import path of the task's class."""
    objective: ClassVar[str]
    """The name of the task's first metric, which is maximised unless `objectives` says otherwise."""
    hand_designed: ClassVar[tuple[str, ...]] = ()
    """The names of the hand-designed networks that the task brings along, the first by default."""

    classical: ClassVar[tuple[str, ...]] = ()
    """The names of the rivals of another family that the task can fit, the first by default."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """What other sections of the spec are where the spec leaves them out; of `retrain`, single keys."""
    IMPLIED = ("task",)

    task: str
    """Its name, or the import path of this section; never given in a spec, since it follows from `data`."""


class TaskFamily(Family[TaskSection]):
    """The tasks. No key of a section names its kind: it is the one that the spec's `data` is for.

    Args:
        base: what every task's section is.
        kinds: the import path of each built-in task's section, by its name.
        sources: the data sources, which say what task they are for.
    """

    def __init__(
        self, base: type[TaskSection], kinds: Mapping[str, str], *, sources: Family[DataSection]
    ) -> None:
        super().__init__(base, kinds)
        self._sources = sources

    def kind_in(self, section: Any, spec: Any) -> str:
        """Return the task that the spec's `data` is for."""
        data = spec.get("data") if isinstance(spec, Mapping) else None
        return self._sources.section_type(self._sources.kind_in(data, spec)).task

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate the field by the data before it; what it holds is written as what it is."""
        return core_schema.with_info_plain_validator_function(
            self._of_the_data, serialization=core_schema.simple_ser_schema("any")
        )

    def _of_the_data(self, value: Any, info: ValidationInfo) -> TaskSection | None:
        """Return the section; None where the data is wrong, which is reported already."""
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
        """Describe the sections of the built-in tasks, and let those of users be anything."""
        built_in = [handler(section.__pydantic_core_schema__) for section in self.section_types()]
        return {"anyOf": [*built_in, {"type": "object"}]}
