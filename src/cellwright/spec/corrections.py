"""Suggests corrections for common errors. A correction is only suggested if it makes the value valid."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SIZE = r"[(\[]?\s*([0-9]+(?:\s*[x×*,]\s*[0-9]+)+)\s*[)\]]?"
MEMORY = r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtpe]?)(i?)b?(?:ytes?)?"
DURATION = r"(?:[0-9.]+\s*(?:s|m|h|d|w)[a-z]*\s*)+"
PREFIXES = " KMGTPE"


def correction(key: str, value: Any, choices: Sequence[str], fits: Callable[[Any], bool]) -> tuple[Any, ...]:
    """Return the probably intended value in a tuple; an empty tuple if there is no suggestion.

    Args:
        key: the last part of the value's path.
        value: the wrong value.
        choices: the allowed words, if only some are allowed.
        fits: returns whether a value is valid there.
    """
    if "://" in str(value):  # it may contain a password
        return ()
    for candidate in _candidates(key, value, choices):
        if fits(candidate):
            return (candidate,)
    return ()


def _candidates(key: str, value: Any, choices: Sequence[str]) -> Iterator[Any]:
    match value:
        case str():
            yield from _from_text(key, value.strip(), choices)
        case bool():
            pass
        case int() | float():
            yield str(value)
            if value in (0, 1):
                yield bool(value)
            yield [value]
            yield [value, value]
        case [single]:
            yield single
            yield [single, single]


def _from_text(key: str, text: str, choices: Sequence[str]) -> Iterator[Any]:
    lower = text.lower()
    by_lower = {choice.lower(): choice for choice in choices}
    yield from (by_lower[near] for near in difflib.get_close_matches(lower, by_lower, n=1))
    if lower in ("none", "null", "nil", ""):
        yield None
    if lower in ("true", "false"):
        yield lower == "true"
    if re.fullmatch(SIZE, lower):
        yield [int(number) for number in re.findall("[0-9]+", text)]
    if found := re.fullmatch(MEMORY, lower):
        yield _memory(*found.groups())
    yield from _numbers(text)
    if re.fullmatch(r"[\w.-]+:[0-9]+(/\S*)?", text):
        yield f"http://{text}"
    if key.endswith("seconds") and re.fullmatch(DURATION, lower):
        parts = re.findall(r"([0-9.]+)\s*([smhdw])", lower)
        yield sum(round(float(number) * UNITS[unit]) for number, unit in parts if number.count(".") < 2)
    yield re.sub("[^a-z0-9]+", "-", lower).strip("-")
    if "," in text:
        yield [part.strip() for part in text.strip("[]()").split(",")]
    yield [text]


def _memory(number: str, prefix: str, binary: str) -> str:
    """Return a quantity in Kubernetes' notation: 4GB is 4G, and 1.5GiB is 1536Mi."""
    power, base = PREFIXES.index(prefix.upper() or " "), 1024 if binary else 1000
    amount = float(number)
    while power and not amount.is_integer():
        amount, power = amount * base, power - 1
    return f"{round(amount)}{PREFIXES[power].strip()}{binary if power else ''}"


def _numbers(text: str) -> Iterator[float]:
    """Yield the number in a text with a decimal comma, thousands separators or a percent sign."""
    if re.fullmatch("[1-9][0-9]{0,2}([_' ,.][0-9]{3})+", text):
        yield int(re.sub("[^0-9]", "", text))
    if re.fullmatch("[-+]?[0-9]+,[0-9]+", text):
        yield float(text.replace(",", "."))
    if found := re.fullmatch(r"([0-9.]+)\s*%", text):
        yield float(found[1]) / 100 if found[1].count(".") < 2 and found[1] != "." else 0.0
    if found := re.fullmatch("([0-9]+)([kKmM])", text):
        yield int(found[1]) * 1000 ** (1 + (found[2] in "mM"))


def format_value(value: Any) -> str:
    """Return a value in the notation of a spec."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(format_value, value))}]"
    return repr(value)
