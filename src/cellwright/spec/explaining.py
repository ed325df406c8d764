"""Messages about errors in a spec: the path, the value, the rule, and a suggestion."""

import copy
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cellwright.credentials import WAYS
from cellwright.errors import CellwrightError
from cellwright.spec.corrections import correction, format_value
from cellwright.spec.family import Family
from cellwright.spec.section import Section

RULES = {
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "model_type", "mapping"), "must be a mapping of keys to values"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "string_type": "must be text",
}
"""Readable rules for pydantic's error types."""
SURE = 0.85
"""Minimum similarity of an unknown and a known key for a suggestion, if no other section has the unknown key."""

Location = Sequence[int | str]


def describe_errors(error: ValidationError, values: Any, model: type[BaseModel]) -> list[str]:
    """Return a message for each error in values that do not match `model`: its path, the value, the rule."""
    return [_describe(details, values, model) for details in error.errors(include_url=False)]


def _describe(details: ErrorDetails, values: Any, root: type[BaseModel]) -> str:
    """Return the message for one error: the path in the file, the value, the rule."""
    location = _without_kinds(details["loc"], values)
    path = _dotted(location) or "the spec"
    match details["type"]:
        case "extra_forbidden":
            return f"{path}: unknown key; {_right_key(location, values, root)}"
        case "missing" if isinstance(location[-1], int):
            return f"{_dotted(location[:-1])}: must have more members, got {_shown(details['input'])}"
        case "missing":
            return f"{path}: must be given"
        case "union_tag_not_found":
            tag = details["ctx"]["discriminator"].strip("'")
            choices = details["ctx"].get("expected_tags", "")
            return f"{path}.{tag}: must be given" + (f", one of {choices}" if choices else "")
        case "union_tag_invalid":
            tag = details["ctx"]["discriminator"].strip("'")
            value, choices = details["ctx"]["tag"], details["ctx"]["expected_tags"]
            known = [choice.strip("' ") for choice in choices.split(",")]
            near = difflib.get_close_matches(value.lower(), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"{path}.{tag}: must be one of {choices}, got {value!r}{hint}"
        case "credentials":
            return f"{path}: must be without user and password, got {_shown(details['input'])}: {WAYS}"
        case "value_error":
            return f"{path}: {details['ctx']['error']}"
        case "too_short" | "too_long" as kind:
            ctx = details["ctx"]
            bound = f"least {ctx['min_length']}" if kind == "too_short" else f"most {ctx['max_length']}"
            return f"{path}: must have at {bound} members, got {_shown(details['input'])}"
        case kind:
            rule = RULES.get(kind, details["msg"])
            rule = rule.replace("Input should be", "must be").replace("String should", "must")
            return f"{path}: {rule}, got {_shown(details['input'])}{_meant(location, details, values, root)}"


def _right_key(location: Location, values: Any, root: type[BaseModel]) -> str:
    """Suggest a key: one with a similar name, or the same name elsewhere in the spec."""
    key, known = str(location[-1]), _fields_at(location[:-1], values, root)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    paths = [_dotted(path) for path in _paths_to(key, values, root)]
    if key in _all_keys(values, root):
        first, _, rest = key.rpartition(".")
        return f"did you mean {rest} in {first}?"
    if paths and not difflib.get_close_matches(key, known, n=1, cutoff=SURE):
        return f"did you mean {' or '.join(paths)}?"
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"


def _paths_to(key: str, values: Any, root: type[BaseModel]) -> list[list[str]]:
    """Return the paths of all keys with this name."""
    return [path for path in _paths(values, root) if path[-1] == key]


def _all_keys(values: Any, root: type[BaseModel]) -> set[str]:
    """Return the paths of all keys in sections, such as `budget.epochs`."""
    return {_dotted(path) for path in _paths(values, root) if len(path) > 1}


def _paths(values: Any, root: type[BaseModel], parents: Sequence[str] = ()) -> Iterator[list[str]]:
    model = _model_at(parents, values, root)
    for name, field in model.model_fields.items() if model else ():
        path = [*parents, field.alias or name]
        yield path
        if get_origin(field.annotation) is not tuple:
            yield from _paths(values, root, path)


def _meant(location: Location, details: ErrorDetails, values: Any, root: type[BaseModel]) -> str:
    """Suggest a similar valid value, if there is one."""

    def fits(candidate: Any) -> bool:
        corrected = copy.deepcopy(values)
        try:
            _value_at(location[:-1], corrected)[location[-1]] = candidate
            root.model_validate(corrected)
        except ValidationError as error:
            wrong = [_without_kinds(details["loc"], corrected) for details in error.errors()]
            return all(place[: len(location)] != [*location] for place in wrong)
        except TypeError:  # the path is not in the file, for example that of a default
            return False
        return True

    if not location:
        return ""
    wrong = _value_at(location, values)
    choices = re.findall("'([^']*)'", str(details.get("ctx", {}).get("expected", "")))
    for found in correction(str(location[-1]), wrong, choices, fits):
        remark = ", in quotes" if isinstance(found, str) and not isinstance(wrong, str) else ""
        if location[-1] == "resize" and found != found[::-1]:  # 64x32 may be either
            remark = ", height and then width"
        return f"; did you mean {format_value(found)}{remark}?"
    return ""


def _dotted(location: Location) -> str:
    return ".".join(map(str, location))


def _shown(value: Any) -> str:
    """Return a wrong value for a message, without credentials."""
    return re.sub("://.*@", "://", repr(value))[:80]


def _without_kinds(location: tuple[int | str, ...], values: Any) -> list[int | str]:
    """Remove the names of union members from pydantic's location, since they are not in the file."""
    path: list[int | str] = []
    for part in location:
        value = _value_at(path, values)
        if not (isinstance(value, Mapping) and part == value.get("kind") and part not in value):
            path.append(part)
    return path


def _value_at(path: Sequence[int | str], values: Any) -> Any:
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _model_at(path: Sequence[int | str], values: Any, root: type[BaseModel]) -> type[BaseModel] | None:
    """Return the section at `path`; for a family, the section of the kind in the values."""
    model, choices = root, [root]
    for depth, part in enumerate(path, start=1):
        if isinstance(part, str):
            by_name = {field.alias or name: field for name, field in model.model_fields.items()}
            if part not in by_name:
                return None
            field = by_name[part]
            choices = [c for a in (*field.metadata, field.annotation) for c in _choices(a)]
        value = _value_at(path[:depth], values)
        if isinstance(value, list):
            continue
        found = _choose(choices, value, values)
        if found is None:
            return None
        model = found
    return model


def _choices(annotation: Any) -> list[Any]:
    """Return the sections and families in an annotation."""
    if isinstance(annotation, Family) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return [annotation]
    return [choice for argument in get_args(annotation) for choice in _choices(argument)]


def _choose(choices: list[Any], value: Any, values: Any) -> type[BaseModel] | None:
    """Return the section that a value is probably meant for."""
    for family in (choice for choice in choices if isinstance(choice, Family)):
        with suppress(CellwrightError):
            return family.section_type(family.kind_in(value, values))
        return None
    tagged = [c for c in choices if isinstance(value, Mapping) and _has_kind(c, value)]
    return next(iter(tagged or choices), None)


def _has_kind(model: type[BaseModel], value: Mapping[str, Any]) -> bool:
    return "kind" in model.model_fields and value.get("kind") in get_args(
        model.model_fields["kind"].annotation
    )


def _fields_at(path: Sequence[int | str], values: Any, root: type[BaseModel]) -> list[str]:
    model = _model_at(path, values, root)
    if model is None:
        return []
    implied = model.IMPLIED if issubclass(model, Section) else ()
    return [field.alias or name for name, field in model.model_fields.items() if name not in implied]
