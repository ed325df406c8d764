"""Views of a spec, which contain only some keys: results cannot depend on others, since reading them fails."""

import json
from collections.abc import Iterable
from typing import TypeVar

from cellwright.spec.data import DataSection
from cellwright.spec.families import TASKS
from cellwright.spec.loading import parse_spec
from cellwright.spec.search_spec import SearchSpec
from cellwright.spec.section import Section

S = TypeVar("S", bound=Section)


class UnreadData(DataSection):
    """Replaces the `data` of a view that has none; it knows only the task."""

    reader = ""
    task: str  # type: ignore[misc]


def only(section: S, keys: Iterable[str]) -> S:
    """Return the section with only these keys, given as dotted paths such as `evaluate.baseline`."""
    view = section.model_copy()
    inner = _by_first_part(keys)
    for name in view.__dict__.keys() - inner.keys():
        del view.__dict__[name]
    for name, rest in inner.items():
        if name in view.__dict__ and rest:
            view.__dict__[name] = only(view.__dict__[name], rest)
    return view


def without(section: S, keys: Iterable[str]) -> S:
    """Return the section without these keys."""
    view = section.model_copy()
    for name, rest in _by_first_part(keys).items():
        if name in view.__dict__:
            if rest:
                view.__dict__[name] = without(view.__dict__[name], rest)
            else:
                del view.__dict__[name]
    return view


def parse_view(text: str) -> SearchSpec:
    """Read a spec or a view from JSON, with only the sections in the text."""
    given = json.loads(text)
    any_task = next(iter(TASKS.kinds))  # for a view without `augment`
    task = given.get("augment", {}).get("task", any_task)
    required = {"name": "view", "data": {"source": f"{__name__}:UnreadData", "task": task}}
    names = [name for name, field in SearchSpec.model_fields.items() if (field.alias or name) in given]
    return only(parse_spec(json.dumps(required | given)), names)


def _by_first_part(keys: Iterable[str]) -> dict[str, list[str]]:
    """Group keys by their first part; the rest is empty for a key without dots."""
    inner: dict[str, list[str]] = {}
    for key in sorted(keys):
        first, _, rest = key.partition(".")
        known = inner.get(first)
        if not rest:
            inner[first] = []
        elif known != []:
            inner[first] = [*(known or ()), rest]
    return inner
