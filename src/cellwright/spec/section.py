"""The base class of all sections of a spec."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from cellwright.credentials import has_credentials


def _as_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "Input should be a number")
    return value


def _as_bool(value: Any) -> Any:
    if isinstance(value, str | bool) and value not in ("0", "1"):
        return value
    raise PydanticCustomError("true_or_false", "Input should be true or false")


def _as_text(value: Any) -> Any:
    if isinstance(value, str) and has_credentials(value):
        raise PydanticCustomError("credentials", "must be without user and password", {})
    return value


def _as_json(value: Any) -> Any:
    match value:
        case str():
            _as_text(value)
        case float() if not math.isfinite(value):
            raise PydanticCustomError("finite_number", "Input should be a finite number")
        case dict():
            for member in value.values():
                _as_json(member)
        case list() | tuple():
            for member in value:
                _as_json(member)
    return value


RULES = {"int": _as_number, "float": _as_number, "bool": _as_bool, "str": _as_text, "any": _as_json}
"""Checks before pydantic's own conversion to these types, which would turn true into 1."""


def _with_rules(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(map(_with_rules, schema))
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind in RULES:
        return core_schema.no_info_before_validator_function(RULES[kind], schema)
    if kind == "function-before" and schema["function"]["function"] in RULES.values():
        return schema
    return {
        key: value if key in ("metadata", "serialization", "default") else _with_rules(value)
        for key, value in schema.items()
    }


TEMPLATES = ("{{", "${", "$(")
"""Starts of templates of Kubeflow Pipelines, Argo, Katib and Kubernetes."""


def without_templates(value: Any) -> Any:
    """Reject a value that contains a template in any text."""
    for text in _texts(value):
        if any(sign in text for sign in TEMPLATES):
            raise PydanticCustomError("templates", "must be without {signs}", {"signs": " ".join(TEMPLATES)})
    return value


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.items():
                yield from _texts(item)
        case list() | tuple():
            for member in value:
                yield from _texts(member)


class Section(BaseModel):
    """A frozen part of the spec that rejects unknown keys. Docstrings of fields are part of the JSON Schema.

    Numbers are finite, and booleans are not numbers. Texts with a URI that has a user or password are rejected, since
    specs are written to logs and results.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    IMPLIED: ClassVar[tuple[str, ...]] = ()
    """Keys that follow from others, so that specs need not have them."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Add the rules to all numbers, booleans and free values of the section."""
        schema: CoreSchema = _with_rules(handler(source))
        return schema

    @model_validator(mode="before")
    @classmethod
    def _empty_sections_are_their_defaults(cls, values: Any) -> Any:
        """Drop `budget:` with nothing below it, as when all its keys are commented out."""
        if not isinstance(values, dict):
            return values
        sections = {
            field.alias or name
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        }
        return {key: value for key, value in values.items() if value is not None or key not in sections}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Refuse access to a key that a view of the section omits."""
            if name in type(self).model_fields:
                raise LookupError(f"{type(self).__name__}.{name} is read, and not in this view of the spec")
            return super().__getattr__(name)

    @property
    def code(self) -> tuple[str, ...]:
        """Return the import paths of the section's code: its own, and those that its class names."""
        cls = type(self)
        named = (getattr(cls, name, None) for name in sorted(cls.__class_vars__))
        paths = (value for value in named if isinstance(value, str) and ":" in value)
        return (f"{cls.__module__}:{cls.__qualname__}", *paths)

    @property
    def imports(self) -> tuple[str, ...]:
        """Return the import paths of the user's own code in the section."""
        ours = f"{__name__.partition('.')[0]}."
        return tuple(path for path in self.code if not path.startswith(ours))


class DeployedSection(Section):
    """A section whose texts are passed to a cluster directly, unlike the spec itself, which is encoded."""

    @field_validator("*")
    @classmethod
    def _is_taken_literally(cls, value: Any) -> Any:
        return without_templates(value)
