"""Texts of a certain form, described in words where they are wrong."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True)
class Form:
    """Metadata of a `str`: the pattern that it must match, and what that means to people."""

    pattern: str
    words: str
    """Completes "must be …"."""

    def _check(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise PydanticCustomError("form", "must be {words}", {"words": self.words})
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check what is a `str` already."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Give editors the pattern."""
        return {**handler(schema), "pattern": self.pattern}


HTTP_ADDRESS = Form(r"^https?://\S+$", "an address such as https://HOST or http://HOST:PORT")
IMPORT_PATH = Form(r"^[\w.]+:\w+$", "an import path such as my_package.module:MyClass")
