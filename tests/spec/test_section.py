"""The rules that every field of every section keeps."""

import math
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import cellwright
from cellwright.spec import ESTIMATORS, RUNNERS, SOURCES, SPACES, STRATEGIES, TASKS, Section

for _family in (SOURCES, TASKS, SPACES, STRATEGIES, ESTIMATORS, RUNNERS):
    _family.section_types()


def sections(base: type[Section] = Section) -> Iterator[type[Section]]:
    for section in base.__subclasses__():
        if section.__module__.startswith(f"{cellwright.__name__}."):
            yield section
        yield from sections(section)


def fields_of(*kinds: type) -> list[Any]:
    """Return the fields whose value is one of the kinds, or null, or a tuple of them."""
    return [
        pytest.param(section, name, field.annotation, id=f"{section.__name__}.{name}")
        for section in dict.fromkeys(sections())
        for name, field in section.model_fields.items()
        if _leaves(field.annotation) & set(kinds) and not _leaves(field.annotation) & {dict, str}
    ]


def _leaves(annotation: Any) -> set[Any]:
    arguments = [argument for argument in get_args(annotation) if not isinstance(argument, str)]
    if arguments and not hasattr(annotation, "__metadata__"):
        return {getattr(annotation, "__origin__", None)}.union(*map(_leaves, arguments))
    return _leaves(arguments[0]) if arguments else {annotation}


def refused(section: type[Section], name: str, value: Any) -> bool:
    try:
        section.model_validate({name: value})
    except ValidationError as error:
        return any(details["loc"][:1] == (name,) for details in error.errors())
    return False


def in_the_form_of(annotation: Any, value: Any) -> Any:
    return [value, value] if tuple in _leaves(annotation) else value


@pytest.mark.parametrize(("section", "name", "annotation"), fields_of(int, float))
def test_numbers_are_finite_and_no_truth_values(section, name, annotation):
    for value in (True, False, "yes", "1:30", math.inf, -math.inf, math.nan, "inf"):
        assert refused(section, name, in_the_form_of(annotation, value)), value


@pytest.mark.parametrize(("section", "name", "annotation"), fields_of(bool))
def test_truth_values_are_no_numbers(section, name, annotation):
    for value in (0, 1, 1.0, "1", "0", 2, math.nan):
        assert refused(section, name, value), value


@pytest.mark.parametrize(("section", "name", "annotation"), fields_of(int))
def test_whole_numbers_may_be_written_as_floats(section, name, annotation):
    def validated(value: Any) -> Any:
        try:
            return getattr(section.model_validate({name: in_the_form_of(annotation, value)}), name)
        except ValidationError as error:
            return [d["msg"] for d in error.errors() if d["loc"][:1] == (name,)]

    assert validated(16.0) == validated(16)
    assert refused(section, name, in_the_form_of(annotation, 16.5))


def test_what_is_checked_is_most_of_a_spec():
    assert len(fields_of(int, float)) > 100
    assert len(fields_of(bool)) >= 4
