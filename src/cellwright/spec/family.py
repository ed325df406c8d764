"""Families: sections of the spec that have several kinds, built in or the user's own."""

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from cellwright.errors import CellwrightError
from cellwright.importing import load_class
from cellwright.spec.section import Section

S = TypeVar("S", bound=Section)

IMPORT_PATH = r"^[\w.]+:[\w.]+$"


class Family(Generic[S]):
    """The kinds of one section, each a subclass of `base` with an import path.

    A spec refers to a built-in kind by its name, and to a user's by its import path,
    `my_package.spaces:WaveletsSection`. Both are imported on first use. As metadata of a field (`Annotated[base,
    family]`), a family validates the field and provides the JSON Schema of the built-in kinds.

    Args:
        base: base class of the kinds' sections.
        kinds: import path of each built-in kind's section, by name.
        tag: the key that names the kind.
        default: the kind of a section without the key; None if the key is required.
    """

    def __init__(
        self, base: type[S], kinds: Mapping[str, str], *, tag: str = "kind", default: str | None = None
    ) -> None:
        self.base = base
        self.kinds = kinds
        self.tag = tag
        self.default_kind = default

    def section_type(self, kind: str) -> type[S]:
        """Return the section of a kind; raises CellwrightError if it does not exist."""
        if not self._is_known(kind):
            raise CellwrightError(f"{self.tag} must be one of {', '.join(self.kinds)}, got {kind!r}")
        return load_class(self.kinds.get(kind, kind), self.base)

    def kind_in(self, section: Any, spec: Any) -> str:
        """Return the kind of a section, given unvalidated values.

        Args:
            section: values of the section.
            spec: values of the whole spec.
        """
        return str(
            section.get(self.tag, self.default_kind) if isinstance(section, Mapping) else self.default_kind
        )

    def _is_known(self, kind: str) -> bool:
        """Return whether a kind is built in, or looks like an import path."""
        return kind in self.kinds or re.fullmatch(IMPORT_PATH, kind) is not None

    def default(self) -> S:
        """Return the section of the default kind with its default values."""
        return self.validate({})

    def validate(self, value: Any) -> S:
        """Return the validated section."""
        if isinstance(value, self.base):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("mapping", "must be a mapping of keys to values")
        kind = value.get(self.tag, self.default_kind)
        if kind is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": f"'{self.tag}'"})
        if kind == "custom":
            raise PydanticCustomError(
                "custom_kind",
                "custom is now the import path of a section, {tag}: my_package.module:MySection, and its settings "
                "are beside it",
                {"tag": self.tag},
            )
        if not isinstance(kind, str) or not self._is_known(kind):
            raise PydanticKnownError(
                "union_tag_invalid",
                {
                    "discriminator": f"'{self.tag}'",
                    "tag": str(kind),
                    "expected_tags": ", ".join(map(repr, self.kinds)),
                },
            )
        try:
            section_type = self.section_type(kind)
        except CellwrightError as error:
            raise ValueError(str(error)) from error
        return section_type.model_validate({self.tag: kind, **value})

    def section_types(self) -> tuple[type[S], ...]:
        """Return the sections of all built-in kinds."""
        return tuple(map(self.section_type, self.kinds))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate the field with this family, and serialise it by its actual type."""
        return core_schema.no_info_plain_validator_function(
            self.validate, serialization=core_schema.simple_ser_schema("any")
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the built-in kinds; the user's own kinds may have any keys."""
        choices: dict[Any, CoreSchema] = {
            kind: self.section_type(kind).__pydantic_core_schema__ for kind in self.kinds
        }
        built_in = handler(core_schema.tagged_union_schema(choices, self.tag))
        own = {
            "type": "object",
            "properties": {self.tag: {"type": "string", "pattern": IMPORT_PATH}},
            "required": [self.tag],
        }
        return {"anyOf": [built_in, own]}
