"""Strings that must match a pattern, with a readable message."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True)
class Form:
    """Metadata of a `str`: the pattern that it must match, and a description of it."""

    pattern: str
    words: str
    """Completes the message "must be …"."""

    def matches(self, text: str) -> bool:
        """Return whether a text has the form; an address with broken brackets, as of IPv6, never has."""
        try:
            urlsplit(text)
        except ValueError:
            return False
        return re.fullmatch(self.pattern, text) is not None

    def _check(self, text: str) -> str:
        if not self.matches(text):
            raise PydanticCustomError("form", "must be {words}", {"words": self.words})
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate the pattern after the type."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the pattern to the JSON Schema, for editors."""
        return {**handler(schema), "pattern": self.pattern}


HTTP_ADDRESS = Form(r"^https?://\S+$", "an address such as https://HOST or http://HOST:PORT")
IMPORT_PATH = Form(r"^[\w.]+:\w+$", "an import path such as my_package.module:MyClass")
