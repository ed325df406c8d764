"""A family: a section of the spec that comes in kinds, built in or the user's own."""

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
    """The kinds of one section, each a subclass of `base` that is found by its import path.

    A spec names a built-in kind by its name and a user's by its import path, `my_package.spaces:WaveletsSection`;
    both are loaded in the same way, when a spec first names them. As metadata of a field (`Annotated[base, family]`)
    a family validates the field, and gives the JSON Schema of the built-in kinds.

    Args:
        base: what every kind's section is.
        kinds: the import path of each built-in kind's section, by its name.
        tag: the key that names the kind.
        default: the kind of a section without the key; None where it is required.
    """

    def __init__(
        self, base: type[S], kinds: Mapping[str, str], *, tag: str = "kind", default: str | None = None
    ) -> None:
        self.base = base
        self.kinds = kinds
        self.tag = tag
        self.default_kind = default

    def section_type(self, kind: str) -> type[S]:
        """Return the section of a kind; raises CellwrightError where there is none."""
        if not self._is_known(kind):
            raise CellwrightError(f"{self.tag} must be one of {', '.join(self.kinds)}, got {kind!r}")
        return load_class(self.kinds.get(kind, kind), self.base)

    def kind_in(self, section: Any, spec: Any) -> str:
        """Return the kind that a section says it is, both as values that may be wrong.

        Args:
            section: the section's values.
            spec: those of the whole spec.
        """
        return str(
            section.get(self.tag, self.default_kind) if isinstance(section, Mapping) else self.default_kind
        )

    def _is_known(self, kind: str) -> bool:
        """Return whether it is a built-in kind, or looks like an import path."""
        return kind in self.kinds or re.fullmatch(IMPORT_PATH, kind) is not None

    def default(self) -> S:
        """Return the section of the default kind, all of it at its defaults."""
        return self.validate({})

    def validate(self, value: Any) -> S:
        """Return the section that the value describes."""
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
        """Validate the field; what it holds is written as what it is."""
        return core_schema.no_info_plain_validator_function(
            self.validate, serialization=core_schema.simple_ser_schema("any")
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the built-in kinds, and let those of users be anything."""
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
