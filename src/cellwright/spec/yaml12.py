"""Reads YAML with plain scalars resolved by YAML 1.2's core schema."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml

from cellwright.errors import SpecError

_NULL, _BOOL, _INT, _FLOAT, _MERGE, _STR, _SEQ, _MAP = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "merge", "str", "seq", "map")
)

CORE_SCHEMA = (
    (_NULL, r"~|null|Null|NULL|", "~nN\0"),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    (_MERGE, r"<<", "<"),
)
"""Tags of plain scalars, each with its pattern and possible first characters; all others are strings.

https://yaml.org/spec/1.2.2/#103-core-schema, and `<<` of YAML 1.1, which has no other meaning.
"""


MAX_CHARACTERS, MAX_VALUES, MAX_DEPTH, MAX_DIGITS = 1 << 20, 10_000, 50, 400
"""Limits of a document with its aliases expanded, and of a number."""


class _UnclearError(yaml.MarkedYAMLError):
    """Valid YAML that different readers interpret differently."""


class _TooLargeError(_UnclearError):
    """YAML that would take more memory or time than any spec needs."""

    def __init__(self, rule: str, mark: yaml.Mark) -> None:
        super().__init__(problem=f"{rule}, aliases included", problem_mark=mark)


@dataclass(frozen=True, slots=True)
class _Extent:
    """The size of a value with its aliases expanded."""

    values: int
    characters: int
    depth: int


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars by the core schema, and rejects ambiguous and oversized input."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    yaml_constructors = {
        tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (_NULL, _BOOL, _STR, _SEQ, _MAP, None)
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._extents: dict[yaml.Node, _Extent] = {}
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next value after checking its size with aliases expanded."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._depth += 1
        self._bound(_Extent(len(self._extents), 0, self._depth), mark)
        node = super().compose_node(parent, index)
        assert node is not None
        self._depth -= 1
        if node in self._extents:
            return node
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
        if node.end_mark is None or any(part not in self._extents for part in parts):
            raise _UnclearError(problem="a value must not contain itself", problem_mark=mark)
        inner = [self._extents[part] for part in parts]
        own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        self._extents[node] = _Extent(
            1 + sum(part.values for part in inner),
            own + sum(part.characters for part in inner),
            1 + max((part.depth for part in inner), default=0),
        )
        self._bound(self._extents[node], mark)
        return node

    @staticmethod
    def _bound(extent: _Extent, mark: yaml.Mark) -> None:
        if extent.depth > MAX_DEPTH:
            raise _TooLargeError(f"values must be nested at most {MAX_DEPTH} deep", mark)
        if extent.values > MAX_VALUES:
            raise _TooLargeError(f"there must be at most {MAX_VALUES} values", mark)
        if extent.characters > MAX_CHARACTERS:
            raise _TooLargeError(f"there must be at most {MAX_CHARACTERS} characters", mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping; rejects duplicate keys, of which YAML would use the last."""
        seen: set[str] = set()
        before: yaml.Node | None = None
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _UnclearError(
                    problem="a key must be a word, not a list or mapping; is this a template that was not filled in?",
                    problem_mark=key.start_mark,
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"duplicate key {key.value!r}", problem_mark=key.start_mark
                )
            if node.flow_style and before and {before.tag, key.tag} <= {_INT, _FLOAT} and value.tag == _NULL:
                raise _UnclearError(
                    problem=f"a number must have a decimal point, not a comma, got {before.value},{key.value}",
                    problem_mark=before.start_mark,
                )
            seen.add(key.value)
            before = value
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Return the number; rejects leading zeros, which YAML 1.1 reads as octal."""
        text = node.value
        if len(text) > MAX_DIGITS:
            raise _UnclearError(
                problem=f"a number must have at most {MAX_DIGITS} digits, got {len(text)}",
                problem_mark=node.start_mark,
            )
        if re.fullmatch(r"0[ox].+", text):
            return int(text, 0)
        if not re.fullmatch(r"[-+]?[0-9]+", text):
            return float(re.sub(r"\.(inf|nan)", r"\1", text, flags=re.IGNORECASE))
        if re.fullmatch(r"[-+]?0[0-9]+", text):
            octal = f" or as the octal number {int(text, 8)}" if not set(text) & set("89") else ""
            raise _UnclearError(
                problem=f"{text} can be read as {int(text)}{octal}: write the number without leading zeros, "
                "or in quotes if it is a name",
                problem_mark=node.start_mark,
            )
        return int(text)


for _tag, _pattern, _first in CORE_SCHEMA:
    _Loader.add_implicit_resolver(_tag, re.compile(f"({_pattern})$"), [c.strip("\0") for c in _first])
for _tag in (_INT, _FLOAT):
    _Loader.add_constructor(_tag, _Loader.construct_number)


def load_yaml(text: str, origin: str) -> Any:
    """Parse a YAML text.

    Raises:
        SpecError: the text is invalid or ambiguous; the message has the origin, line and column.
    """
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"{origin}: must have at most {MAX_CHARACTERS} characters")
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        location = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = "" if isinstance(error, _UnclearError) else "not valid YAML: "
        raise SpecError(f"{origin}{location}: {what}{_problem(error)}") from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before.rpartition("\n")[2]) + 1
        raise SpecError(
            f"{origin}:{before.count(chr(10)) + 1}:{column}: not valid YAML: the character "
            f"U+{error.character:04X} is not allowed"
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise SpecError(f"{origin}: not valid YAML: {error}") from error


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Return the message for an error, with a hint for common errors."""
    if error.problem == "but found another document":
        return "a file must have one document, and --- begins another"
    tab = "; indent with spaces, not tabs" if r"'\t'" in str(error.problem) else ""
    return f"{error.problem}{tab}"
