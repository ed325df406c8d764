import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.errors import SpecError
from cellwright.spec.yaml12 import load_yaml

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("C",))),
    lambda values: (
        st.lists(values) | st.dictionaries(st.sampled_from(["on", "no", "a", "1", "1:30"]), values)
    ),
    max_leaves=8,
)


@given(JSON)
def test_json_means_what_json_says(value: object):
    assert load_yaml(json.dumps(value, ensure_ascii=False), "text") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, word) for word in ("yes", "No", "on", "OFF", "y", "n", "1:30", "190:20:30", "2026-01-31")),
        *((word, word) for word in ("1_000", "0b101", "0,001", "tRuE", "1e", "=", "0x", "0o8")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, None) for word in ("null", "~", "")),
        ("1e3", 1000.0),
        ("1e-3", 1e-3),
        ("-1.E+2", -100.0),
        (".5", 0.5),
        ("+12", 12),
        ("0", 0),
        ("-0", 0),
        ("00.5", 0.5),
        ("0o17", 15),
        ("0xfF", 255),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("'0123'", "0123"),
        ("{a: &x {b: 1}, c: {<<: *x, d: 2}}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_plain_words_are_read_by_the_core_schema(text: str, value: object):
    found = load_yaml(text, "text")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  b: 0123", "2:6: 0123 can be read as 123 or as the octal number 83: write the number without"),
        ("-010", "1:1: -010 can be read as -10 or as the octal number -8: write"),
        ("[1, 089]", "1:5: 089 can be read as 89: write"),
        (
            "{{ name }}: 1",
            "1:1: a key must be a word, not a list or mapping; is this a template that was not filled in?",
        ),
        ("? [a]\n: 1", "1:3: a key must be a word"),
        ("a: 1\na: 2", "2:1: not valid YAML: duplicate key 'a'"),
        ("!!timestamp x", "1:1: not valid YAML: could not determine a constructor"),
        ("!!python/name:os.system x", "1:1: not valid YAML: could not determine a constructor"),
        ("!!int x", " not valid YAML: "),
    ],
)
def test_what_has_two_readings_or_none_is_refused(text: str, message: str):
    with pytest.raises(SpecError) as caught:
        load_yaml(text, "text")
    assert str(caught.value).startswith(f"text:{message}")


NINE = "\n".join(f"- &a{i} [{','.join(['lol' if i == 0 else f'*a{i - 1}'] * 9)}]" for i in range(9))
LONG = "\n".join(["- &a " + "x" * 100_000, *["- *a"] * 100])
CHAIN = "\n".join(["- &a0 []", *(f"- &a{i} [*a{i - 1}]" for i in range(1, 100))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NINE, "text:5:3: there must be at most 10000 values, aliases included"),
        (LONG, "text:1:1: there must be at most 1048576 characters, aliases included"),
        (CHAIN, "text:51:3: values must be nested at most 50 deep, aliases included"),
        ("[" * 20_000, "text:1:51: values must be nested at most 50 deep"),
        ("- 1\n" * 20_000, "text:10002:3: there must be at most 10000 values"),
        ("x" * (1 << 20) + "x", "text: must have at most 1048576 characters"),
        ("&a {x: *a}", "text:1:8: a value must not contain itself"),
        ("&a [*a]", "text:1:5: a value must not contain itself"),
        ("1" * 5000, "text:1:1: a number must have at most 400 digits, got 5000"),
        ("0x" + "f" * 5000, "text:1:1: a number must have at most 400 digits, got 5002"),
        ("? [a, b]\n: 1", "text:1:3: a key must be a word"),
    ],
)
def test_what_is_out_of_all_proportion_is_refused(text: str, message: str):
    with pytest.raises(SpecError, match=f"^{message}"):
        load_yaml(text, "text")


def test_aliases_within_bounds_are_what_they_stand_for():
    assert load_yaml("a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 3}", "text") == {
        "a": {"x": [1, 2]},
        "b": {"x": [1, 2]},
        "c": {"x": [1, 2], "y": 3},
    }
