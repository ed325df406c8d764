"""Reading a spec file, with every mistake named at once."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cellwright.credentials import WAYS
from cellwright.errors import CellwrightError, SpecError
from cellwright.spec.family import Family
from cellwright.spec.platform import Resources
from cellwright.spec.search_spec import SearchSpec
from cellwright.spec.section import Section
from cellwright.spec.yaml12 import MAX_CHARACTERS, load_yaml

PROFILES = Path(__file__).with_name("profiles.yaml")
"""The resource profiles that cellwright knows."""


def load_spec(path: Path, overrides: Iterable[str] = ()) -> SearchSpec:
    """Read a spec from a YAML file; relative paths in it count from the file's folder.

    Args:
        path: the file.
        overrides: `KEY.KEY=VALUE` each, with a YAML value, applied over the file.

    Raises:
        SpecError: the file cannot be read, or breaks rules; names each one.
    """
    values = _read(path)
    if not isinstance(values, dict):
        raise SpecError(f"{path}: a spec must be a mapping of keys to values, got {values!r:.80}")
    for override in overrides:
        _apply(values, override)
    _put_profiles_in(values, path)
    return _absolute(_validate(values, str(path)), path.resolve().parent)


def _read(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return load_yaml(text, str(path))


def parse_spec(text: str) -> SearchSpec:
    """Read a spec from the JSON that `SearchSpec.model_dump_json(by_alias=True)` gives."""
    return _validate(json.loads(text), "spec")


def _validate(values: Any, origin: str) -> SearchSpec:
    try:
        return SearchSpec.model_validate(values)
    except ValidationError as error:
        lines = mistakes(error, values, SearchSpec)
        raise SpecError("\n".join(f"{origin}: {line}" for line in lines)) from error


def mistakes(error: ValidationError, values: Any, model: type[BaseModel]) -> list[str]:
    """Return a line for each mistake in values that were to be a `model`: its path, the value, the rule."""
    return [_describe(details, values, model) for details in error.errors(include_url=False)]


def _absolute(spec: SearchSpec, folder: Path) -> SearchSpec:
    sections = {
        name: section.model_copy(
            update={field: folder / value for field, value in section if isinstance(value, Path)}
        )
        for name, section in (("data", spec.data), ("start", spec.start), ("retrain", spec.retrain))
    }
    return spec.model_copy(update=sections)


def _put_profiles_in(values: dict[str, Any], path: Path) -> None:
    """Replace, wherever a spec holds resources, the name of a profile by what it stands for.

    Raises:
        SpecError: no profile is called so, or their file cannot be read.
    """
    known = load_profiles()
    if (file := values.get("profiles")) is not None:
        own = path.resolve().parent / str(file)
        known |= load_profiles(own)
        del values["profiles"]
    pipeline, runner = (values.get(name) for name in ("pipeline", "runner"))
    holders: list[tuple[str, Any, Any]] = [("resources", values, "resources")]
    if isinstance(runner, dict):
        holders.append(("runner.resources", runner, "resources"))
    if isinstance(pipeline, dict) and isinstance(steps := pipeline.get("resources"), dict):
        holders += [(f"pipeline.resources.{step}", steps, step) for step in steps]
    for place, holder, key in holders:
        section = holder.get(key)
        if not isinstance(section, dict) or (name := section.get("profile")) is None:
            continue
        if not isinstance(name, str) or name not in known:
            raise SpecError(
                f"{path}: {place}.profile: must be one of {', '.join(sorted(known))}, got {name!r}"
            )
        holder[key] = {**known[name], **section}


def load_profiles(path: Path = PROFILES) -> dict[str, dict[str, Any]]:
    """Return the resource profiles of a file by their names: those that cellwright knows, unless one is given.

    Raises:
        SpecError: it cannot be read, or a profile breaks a rule; names each.
    """
    values = _read(path)
    if not isinstance(values, dict):
        raise SpecError(f"{path}: must be a mapping of names to resources, got {values!r:.80}")
    lines = []
    for name, profile in values.items():
        try:
            Resources.model_validate(profile)
        except ValidationError as error:
            lines += [f"{path}: {name}.{line}" for line in mistakes(error, profile, Resources)]
    if lines:
        raise SpecError("\n".join(lines))
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    *parents, last = path.split(".")
    if not equals or not all((*parents, last)):
        raise SpecError(f"--set must be KEY.KEY=VALUE, got {override!r}")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise SpecError(f"--set {override}: {parent} is no mapping")
    values[last] = load_yaml(text, f"--set {override}")


def _describe(details: ErrorDetails, values: Any, root: type[BaseModel]) -> str:
    """Say one mistake: the path in the file, the value, the rule."""
    location = _without_kinds(details["loc"], values)
    path = ".".join(map(str, location)) or "the spec"
    match details["type"]:
        case "extra_forbidden":
            known = _fields_at(location[:-1], values, root)
            near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            return f"{path}: unknown key; {hint}"
        case "missing":
            return f"{path}: must be given"
        case "union_tag_not_found":
            tag = details["ctx"]["discriminator"].strip("'")
            choices = details["ctx"].get("expected_tags", "")
            return f"{path}.{tag}: must be given" + (f", one of {choices}" if choices else "")
        case "union_tag_invalid":
            tag = details["ctx"]["discriminator"].strip("'")
            value, choices = details["ctx"]["tag"], details["ctx"]["expected_tags"]
            near = difflib.get_close_matches(value, [c.strip("' ") for c in choices.split(",")], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"{path}.{tag}: must be one of {choices}, got {value!r}{hint}"
        case "credentials":
            return f"{path}: must be without user and password, got {_shown(details['input'])}: {WAYS}"
        case "value_error":
            return f"{path}: {details['ctx']['error']}"
        case _:
            rule = details["msg"].replace("Input should be", "must be").replace("String should", "must")
            return f"{path}: {rule}, got {_shown(details['input'])}"


def _shown(value: Any) -> str:
    """Spell a wrong value for a message, without what may be meant as a user and password."""
    return re.sub("://.*@", "://", repr(value))[:80]


def _without_kinds(location: tuple[int | str, ...], values: Any) -> list[int | str]:
    """Drop from pydantic's location the names of the kinds of a union's members, which are in no file."""
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
    """Return the section that describes the value at `path`, of a family the kind that the value names."""
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
    """Return the sections and families that an annotation is made of."""
    if isinstance(annotation, Family) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return [annotation]
    return [choice for argument in get_args(annotation) for choice in _choices(argument)]


def _choose(choices: list[Any], value: Any, values: Any) -> type[BaseModel] | None:
    """Return the section that a value, somewhere in the values of a spec, is meant to be."""
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
