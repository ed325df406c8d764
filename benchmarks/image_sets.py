"""Sets of small images that races and recipes are compared on."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import fashion_data, mnist_data
from benchmarks.hand_designed import cifar_data

SETS: dict[str, tuple[Callable[[argparse.Namespace], dict[str, Any]], int | None]] = {
    "Fashion-MNIST": (lambda given: fashion_data.fashion_data(given.fashion), 10_000),
    "Fashion-MNIST, 2,000 images": (lambda given: fashion_data.fashion_data(given.fashion), 2_000),
    "MNIST, 2,000 images": (lambda given: mnist_data.mnist_data(given.mnist), 2_000),
    "CIFAR-10": (lambda given: cifar_data(given.cifar), 10_000),
    "CIFAR-10, 2,000 images": (lambda given: cifar_data(given.cifar), 2_000),
    "digits": (lambda given: {"source": "digits"}, None),
}
"""By name, the spec's `data` section and its `limit`."""


def add_data_options(parser: argparse.ArgumentParser, default: Iterable[str]) -> None:
    """Add `--data`, which chooses sets, and the options that say where their files are."""
    parser.add_argument("--data", nargs="+", default=tuple(default), choices=SETS, metavar="NAME")
    parser.add_argument(
        "--fashion", type=Path, default=fashion_data.DEFAULT_FOLDER, help="where Fashion-MNIST is, or is put"
    )
    parser.add_argument(
        "--mnist", type=Path, default=mnist_data.DEFAULT_FOLDER, help="where MNIST is, or is put"
    )
    parser.add_argument("--cifar", type=Path, help="archive of CIFAR-10's images; without it it is skipped")


def chosen_sets(given: argparse.Namespace) -> list[str]:
    """Return the names of the chosen sets whose files are known."""
    return [name for name in given.data if given.cifar or not name.startswith("CIFAR")]
