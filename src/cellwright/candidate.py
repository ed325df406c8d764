"""The candidates of a sampled search: an architecture, and the values of the hyperparameters searched with it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote, unquote

from pydantic import PlainSerializer, PlainValidator

from cellwright.canonical import canonical_json
from cellwright.genotype import Genotype, GenotypeError

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A genotype and the values of searched hyperparameters. Candidates with the same line are equal."""

    genotype: Genotype = field(compare=False)
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """JSON values by hyperparameter, such as `retrain.learning_rate`."""
    line: str = field(init=False, repr=False)
    """The candidate as one shell-safe word of `[A-Za-z0-9_.:,~-]`, which Katib passes on unchanged.

    The form is `GENOTYPE::NAME,VALUE:…`, sorted by name, or only the genotype's line if there are no values. A value
    is its canonical JSON, where each byte other than a letter, digit, `_`, `.` or `-` is `~` and two hex digits.
    """

    def __post_init__(self) -> None:
        for name in self.values:
            if not _NAME.fullmatch(name):
                raise GenotypeError(f"names of hyperparameters must match {_NAME.pattern}, got {name!r}")
        object.__setattr__(self, "values", dict(sorted(self.values.items())))
        formatted = ":".join(f"{name},{_format(name, value)}" for name, value in self.values.items())
        line = self.genotype.to_line()
        object.__setattr__(self, "line", f"{line}::{formatted}" if formatted else line)

    @classmethod
    def from_line(cls, line: str) -> "Candidate":
        """Parse a line; raises GenotypeError."""
        genotype, has_values, formatted = line.strip().partition("::")
        try:
            pairs = [pair.split(",") for pair in formatted.split(":")] if has_values else []
            values = {name: json.loads(unquote(value.replace("~", "%"))) for name, value in pairs}
        except ValueError as error:
            raise GenotypeError(
                f"values must be NAME,VALUE:… with each value JSON, got {formatted!r}"
            ) from error
        candidate = cls(genotype=Genotype.from_line(genotype), values=values)
        canonical = candidate.line.partition("::")[2]
        if canonical != formatted:
            raise GenotypeError(f"values must be written {canonical!r}, got {formatted!r}")
        return candidate


def _format(name: str, value: Any) -> str:
    try:
        text = canonical_json(value)
    except (TypeError, ValueError) as error:
        raise GenotypeError(f"{name} must be a JSON value, got {value!r}") from error
    return quote(text, safe="").replace("~", "%7E").replace("%", "~")


def _read(value: Any) -> Candidate:
    if isinstance(value, Candidate):
        return value
    if not isinstance(value, str):
        raise GenotypeError(f"a candidate must be its line, got {value!r:.200}")
    return Candidate.from_line(value)


CandidateLine = Annotated[
    Candidate,
    PlainValidator(_read),
    PlainSerializer(lambda candidate: candidate.line, return_type=str),
]
"""A candidate, stored in JSON as its line."""
