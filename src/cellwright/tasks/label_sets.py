"""Any number of labels for each example: what data sources with them share, and how they are read. Needs no torch."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cellwright.errors import DataError
from cellwright.tasks.classified_data import MOST_CLASSES, ClassOrNumberData
from cellwright.tasks.facts import LABEL_SEPARATOR
from cellwright.tasks.folder_names import natural_order, normal

LabelSets = NDArray[np.uint8]
"""Shape (N, labels): 1 where an example has the label, otherwise 0."""
Columns = Annotated[tuple[str, ...], Field(min_length=2)]
"""Columns of 0 and 1, each of which is a label."""
YES, NO = frozenset({"1", "true"}), frozenset({"0", "false"})


class LabelledData(ClassOrNumberData):
    """What sources share whose targets are classes, numbers or label sets."""

    predict: Literal["class", "number", "labels"] = "class"  # type: ignore[assignment]
    """What the target is: a class, a number, or any number of labels, from none to all (`labels`)."""
    separator: str = Field(default=LABEL_SEPARATOR, min_length=1, max_length=1)
    """What separates the labels in a value, where `predict` is `labels`."""

    @model_validator(mode="after")
    def _labels_have_no_weights(self) -> Self:
        if self.predict == "labels" and self.class_weights != "none":
            raise ValueError(f"class_weights must be none where predict is labels, got {self.class_weights}")
        return self


def target_columns(target: str | Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a target consists of."""
    return (target,) if isinstance(target, str) else tuple(target)


def require_one_target(target: str | Sequence[str], predict: str) -> None:
    """Raise ValueError, the section's rule, where several columns are not label sets."""
    if not isinstance(target, str) and predict != "labels":
        raise ValueError(
            f"target must be one column where predict is {predict}, got {', '.join(target)}: set predict: labels"
        )


def split_labels(value: Any, separator: str, origin: str) -> frozenset[str]:
    """Return the labels in a value: of a text that has separators or of a list; none where it is missing.

    Raises:
        DataError: the list has something other than texts and numbers.
    """
    if isinstance(value, list):
        if wrong := [one for one in value if not isinstance(one, str | int)]:
            raise DataError(f"{origin}: labels must be a list of texts, got {wrong[0]!r:.80}")
        parts = list(map(str, value))
    elif isinstance(value, dict):
        raise DataError(f"{origin}: labels must be a text or a list of texts, got {value!r:.80}")
    else:
        is_missing = value is None or value != value
        is_whole = isinstance(value, float) and value.is_integer()
        parts = [] if is_missing else str(int(value) if is_whole else value).split(separator)
    return frozenset(normal(part.strip()) for part in parts) - {""}


def are_label_sets(values: Any) -> bool:
    """Return whether a column most likely has label sets: lists, or texts of fewer labels than there are texts."""
    known = [value for value in values if isinstance(value, str | list)]
    if any(isinstance(value, list) for value in known):
        return True
    texts = {value for value in known if isinstance(value, str)}
    sets = [split_labels(text, LABEL_SEPARATOR, "") for text in texts]
    return any(len(labels) > 1 for labels in sets) and len(frozenset().union(*sets)) < len(texts)


def label_names(sets: Sequence[frozenset[str]], separator: str, origin: str) -> tuple[str, ...]:
    """Return all labels in natural order.

    Raises:
        DataError: there are too many, or no example has two, so that they are classes or have another separator.
    """
    names = natural_order({name for labels in sets for name in labels})
    if not names:
        raise DataError(f"{origin}: there must be labels, and no example has any")
    if max(map(len, sets)) < 2:
        raise DataError(
            f"{origin}: an example must have two labels separated by {separator!r} (data.separator), but all have at "
            f"most one, such as {names[0]!r:.80}: if they are classes, set data.predict: class"
        )
    if len(names) > min(MOST_CLASSES, max(2, len(sets) // 3)):
        raise DataError(
            f"{origin}: {len(names)} different labels in {len(sets)} examples are too many: set data.separator to what "
            f"separates them, not {separator!r}, or leave out rare ones"
        )
    return tuple(names)


def as_label_sets(sets: Sequence[frozenset[str]], names: Sequence[str], origin: str) -> LabelSets:
    """Return label sets as an array; raises DataError for a label that is not among the names."""
    indices = {name: index for index, name in enumerate(names)}
    array = np.zeros((len(sets), len(names)), np.uint8)
    for row, labels in zip(array, sets, strict=True):
        if unknown := sorted(labels - indices.keys()):
            raise DataError(f"{origin}: labels must be among {', '.join(names)}, got {unknown[0]!r}")
        row[[indices[name] for name in labels]] = 1
    return array


def read_label_sets(
    table: Any, target: str | Sequence[str], separator: str, origin: str, names: Sequence[str] | None = None
) -> tuple[tuple[str, ...], LabelSets]:
    """Return the labels' names and the label sets of a table's rows.

    Args:
        table: a pandas data frame.
        target: the column with all labels of a row, or the columns of 0 and 1 of which each is a label.
        separator: what separates labels in a text.
        origin: name of the table in messages.
        names: of the labels, where they are known from the training set.

    Raises:
        DataError: a value has no such form; the message has the rule.
    """
    if not isinstance(target, str):
        return tuple(target), np.stack([_flags(table[name], origin) for name in target], axis=1)
    sets = [split_labels(value, separator, f"{origin}: {target!r}") for value in table[target]]
    known = tuple(names) if names else label_names(sets, separator, f"{origin}: {target!r}")
    return known, as_label_sets(sets, known, f"{origin}: {target!r}")


def _flags(values: Any, origin: str) -> NDArray[np.uint8]:
    """Return a column of 0 and 1, or of false and true, as an array."""
    texts = [str(value).strip().lower().removesuffix(".0") for value in values]
    wrong = next((row for row, text in enumerate(texts) if text not in YES | NO), None)
    if wrong is not None:
        raise DataError(
            f"{origin}: column {values.name!r} must be 0 or 1, since it is a label, got {values.iloc[wrong]!r:.80} in "
            f"row {wrong + 1}"
        )
    return np.array([text in YES for text in texts], np.uint8)
