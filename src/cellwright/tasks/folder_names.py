"""Interprets the names of class folders: their order, and whether they are classes at all."""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from pathlib import Path, PurePath
from unicodedata import normalize

from cellwright.errors import DataError

SPLITS = {
    "train": ("train", "training", "trainset", "trainingset", "learn"),
    "validation": ("validation", "val", "valid", "valset", "validset", "validationset", "dev", "devset"),
    "test": ("test", "testing", "testset", "eval", "evaluation", "holdout"),
}
"""Common names of splits."""
FILLERS = {"set", "data", "dataset", "split", "images", "imgs", "image", "img", "pictures", "photos", "seg"}
"""Words that may be added to them without changing their meaning."""


JUNK = {
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "lost+found",
    "__pycache__",
}
"""What Windows, macOS, file servers and Python leave in folders, besides hidden files."""
IMAGES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif"),
}
"""Suffixes of image files."""
OTHERS = {
    *(
        ".txt",
        ".md",
        ".rst",
        ".csv",
        ".tsv",
        ".json",
        ".jsonl",
        ".xml",
        ".html",
        ".htm",
        ".yaml",
        ".yml",
        ".ini",
    ),
    *(
        ".db",
        ".log",
        ".pdf",
        ".doc",
        ".docx",
        ".xls",
        ".xlsx",
        ".py",
        ".ipynb",
        ".zip",
        ".gz",
        ".tar",
        ".mat",
        ".npy",
    ),
}
"""Suffixes of files that are not images."""


def is_junk(name: str) -> bool:
    """Return whether a file or folder is hidden, or was left there by a program."""
    return name.startswith(".") or name.casefold() in JUNK


def is_other(name: str, *, in_class: bool) -> bool:
    """Return whether to skip a file by its name: in a class, if it is no image; elsewhere, if it may not be one."""
    end = PurePath(name).suffix.casefold()
    return end in OTHERS if in_class else end not in IMAGES


def escaped(name: object) -> str:
    """Return a name with control characters and bytes that are not UTF-8 escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(name))


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort names with numbers by value and other text by code point: 2 before 10, `b` after `B`."""

    def key(name: str) -> tuple[list[str | int], str]:
        parts = re.split("([0-9]+)", name)
        return [int(part) if index % 2 else part for index, part in enumerate(parts)], name

    return sorted(names, key=key)


def require_classes(origin: str, names: Collection[str]) -> None:
    """Reject folders that are splits, and names that differ only in their Unicode form.

    Raises:
        DataError: names the folders, and for splits, the lines of the spec that name them.
    """
    for name in natural_order(names):
        if not _is_text(name):
            raise DataError(
                f"{origin}: the name of a class must be UTF-8, got the folder {os.fsencode(name)!r}"
            )
    parts = {role: [name for name in natural_order(names) if part_of_split(name) == role] for role in SPLITS}
    roles = {role: found[0] for role, found in parts.items() if found}
    are_all = all(map(part_of_split, names))
    if ("train" in roles and len(roles) > 1) or (are_all and (len(roles) > 1 or len(names) == 1)):
        has_all = len(roles) == len(SPLITS)
        locations = {
            "path": roles.get("train"),
            "validation_path": roles.get("validation") if has_all else None,
            "test_path": roles.get("test"),
        }
        lines = _listed(f"data.{key}: {origin}/{name}" for key, name in locations.items() if name)
        own = "validation" in roles and not has_all
        rest = "; data.validation_fraction of data.path is for validation" if own else ""
        raise DataError(
            f"{origin}: must hold a folder per class, but {_listed(roles.values())} "
            f"{'are parts' if len(roles) > 1 else 'is a part'} of a split: set {lines}{rest}"
        )
    for name, same in groupby(sorted(names, key=normal), normal):
        if len(forms := list(same)) > 1:
            raise DataError(
                f"{origin}: names of classes must differ in more than their Unicode form, but {name!r} is "
                f"there {len(forms)} times: {', '.join(map(ascii, forms))}"
            )


def require_class_folders(folder: Path, found: Sequence[Path]) -> None:
    """Reject what `require_classes` does, and a single folder that holds those of the classes.

    Raises:
        DataError: names the folders.
    """
    require_classes(str(folder), [path.name for path in found])
    if len(found) != 1:
        return
    below = [path for path in found[0].iterdir() if path.is_dir() and not is_junk(path.name)]
    if len(below) > 1:
        raise DataError(
            f"{folder}: must hold a folder per class, but holds only {escaped(found[0].name)}, in which there are "
            f"{len(below)}: use {escaped(found[0])}"
        )


def normal(name: str) -> str:
    """Return the normalised form of a name, which is the same on all file systems."""
    return normalize("NFC", name)


def equal_ignoring_case(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that differ only in case."""
    groups = (list(same) for _, same in groupby(sorted(names, key=str.casefold), str.casefold))
    return [natural_order(group) for group in groups if len(group) > 1]


def _is_text(name: str) -> bool:
    """Return whether a name is valid UTF-8; Python represents invalid bytes as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def part_of_split(name: str) -> str | None:
    """Return the split that a folder with this name is likely to be, or None."""
    words = [word for word in re.findall("[a-z]+", name.casefold()) if word not in FILLERS]
    return next((role for role, synonyms in SPLITS.items() if len(words) == 1 and words[0] in synonyms), None)


def _listed(names: Iterable[str]) -> str:
    *others, last = list(names) or ["data.path"]
    return f"{', '.join(others)} and {last}" if others else last
