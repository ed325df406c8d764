"""How long a search step takes and how much memory it needs, beside a textbook supernet; prints tables.

`make bench` runs it. Each contender has a process of its own, as a search has; they take turns, so that whatever else
the machine does affects all of them equally, and those who wait do nothing. Ratios are those of medians. A turn begins
with a step that does not count, since it finds the caches as another contender left them. Memory is the largest
resident set during the first two steps, less that before the network was built.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.textbook import TextbookSearch, TextbookSupernet
from cellwright.data.split import Split
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.darts.section import DARTS_PRIMITIVES
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.darts.supernet import DartsSupernet
from cellwright.spec import STRATEGIES, Budget, OneShotSection
from cellwright.strategies.one_shot.base import OneShotStrategy, SearchData, build_strategy
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.tasks.images.section import ImagesSection
from cellwright.testing.images import numbered_images

TEXTBOOK = "textbook bilevel"
CONTENDERS: dict[str, tuple[dict[str, object] | None, float | None, float | None]] = {
    TEXTBOOK: (None, None, None),
    "darts": ({"kind": "darts"}, 2.7, 0.75),
    "darts, second order": ({"kind": "darts", "order": "second"}, None, None),
    "beta-darts, single level": ({"kind": "beta-darts"}, 4.2, None),
    "drnas, single level": ({"kind": "drnas", "warmup": 0}, None, None),
    "pc-darts": ({"kind": "pc-darts", "warmup": 0}, None, None),
    "gdas": ({"kind": "gdas"}, 17, 0.35),
    "spos": ({"kind": "spos"}, 20, None),
    "enas": ({"kind": "enas"}, 20, None),
    "random-ws": ({"kind": "random-ws"}, None, None),
}
"""For each name the strategy section, and the bars: times faster than the textbook, share of its memory."""

TURN_SECONDS = 1.0
"""Least time of a turn; steps of sampling strategies differ, so that many must be measured."""

NO_CHANGES = ImagesSection(shift=0, rotate=0, scale=0)


class Setting:
    """The network that is searched, and one batch of data for each split."""

    def __init__(self, *, channels: int, num_cells: int, num_nodes: int, batch_size: int, side: int) -> None:
        self.channels, self.num_cells, self.num_nodes = channels, num_cells, num_nodes
        self.batch_size = batch_size
        self.space = Darts(primitives=DARTS_PRIMITIVES, num_nodes=num_nodes)
        self.task = numbered_images((3, side, side), 10)
        rng = torch.Generator().manual_seed(0)
        splits = [
            Split((torch.randn(batch_size, 3, side, side, generator=rng),), torch.arange(batch_size) % 10)
            for _ in range(2)
        ]
        self.data = SearchData(train=splits[0], validation=splits[1])

    def supernet(self, channel_fraction: float) -> DartsSupernet:
        with seeded_initialisation(0):
            return DartsSupernet(
                self.task,
                self.space,
                num_cells=self.num_cells,
                channels=self.channels,
                channel_fraction=channel_fraction,
            )

    def strategy(self, section: dict[str, object], dtype: torch.dtype = torch.float32) -> OneShotStrategy:
        """Return the strategy ready for its first epoch, which is one step long."""
        settings = STRATEGIES.validate(section | {"batch_size": self.batch_size})
        assert isinstance(settings, OneShotSection)
        supernet = self.supernet(settings.mixed_fraction).to(dtype)
        budget = Budget(epochs=10_000)
        return build_strategy(settings, supernet, self.data, budget, augment=NO_CHANGES, seed=0)

    def textbook(self) -> TextbookSearch:
        net = TextbookSupernet(
            3,
            10,
            self.space.primitives,
            num_nodes=self.num_nodes,
            num_cells=self.num_cells,
            channels=self.channels,
        )
        return TextbookSearch(net)

    def stepper(self, name: str) -> Callable[[], object]:
        """Return what does one search step on a training batch; a sampling strategy draws again each time."""
        section = CONTENDERS[name][0]
        if section is not None:
            strategy = self.strategy(section)
            strategy.supernet.train()
            strategy.begin_epoch(1)
            (batch,) = strategy.training_batches(1)
            return lambda: strategy.step(batch)
        search = self.textbook()
        train, validation = (
            (split[:].inputs[0].contiguous(), split.targets)
            for split in (self.data.train, self.data.validation)
        )
        return lambda: search.step(train, validation)


def largest_difference(setting: Setting, num_steps: int) -> float:
    """Return how far darts' gradients are from the textbook's, in double precision, over as many steps."""
    strategy = setting.strategy({"kind": "darts"}, torch.float64)
    assert isinstance(strategy, Differentiable)
    supernet = strategy.supernet
    for alpha in strategy.alphas.values():
        alpha.data = alpha.data.double()
    search = setting.textbook()
    search.net.double().start_from(list(supernet.parameters()), strategy.alphas)
    worst = 0.0
    for epoch in range(1, num_steps + 1):
        strategy.train_epoch(epoch)
        for group in search.weight_optimizer.param_groups:
            group["lr"] = strategy.weight_optimizer.param_groups[0]["lr"]
        search.step(_double(setting.data.train), _double(setting.data.validation))
        pairs = [
            *(
                (_gradient(strategy.alphas[kind]), gradient)
                for kind, gradient in search.alpha_gradients.items()
            ),
            *zip(
                map(_gradient, supernet.parameters()),
                map(_gradient, search.net.parameters()),
                strict=True,
            ),
        ]
        worst = max(worst, *((ours - theirs).abs().max().item() for ours, theirs in pairs))
    return worst


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _double(split: Split) -> tuple[Tensor, Tensor]:
    return split[:].inputs[0].double(), split.targets


class Contender:
    """A process that takes turns with others."""

    def __init__(self, name: str, setting_arguments: list[str]) -> None:
        command = [
            sys.executable,
            "-m",
            "benchmarks.one_shot_steps",
            *setting_arguments,
            "--take-turns",
            name,
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.megabytes: float = self._answer()
        self.seconds: list[float] = []

    def take_turn(self) -> None:
        assert self.process.stdin
        print("go", file=self.process.stdin, flush=True)
        self.seconds += self._answer()

    def close(self) -> None:
        self.process.communicate()

    def _answer(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())


def take_turns(setting: Setting, name: str) -> None:
    """Print the megabytes of two steps, and for each line that is read the seconds of a turn's steps."""
    torch.ones(1000, 1000) @ torch.ones(1000, 1000)  # what the libraries themselves take, once
    before = _resident_megabytes("VmRSS")
    step = setting.stepper(name)
    step()
    step()
    print(_resident_megabytes("VmHWM") - before, flush=True)
    for _ in sys.stdin:
        step()
        seconds = []
        ends = time.perf_counter() + TURN_SECONDS
        while (began := time.perf_counter()) < ends:
            step()
            seconds.append(time.perf_counter() - began)
        print(seconds, flush=True)


def _resident_megabytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def _verdict(bar: float | None, met: bool) -> str:
    if bar is None:
        return ""
    return f"[green]{bar:g} met[/]" if met else f"[red]{bar:g} missed[/]"


def print_table(console: Console, title: str, contenders: dict[str, Contender]) -> None:
    table = Table(title=title)
    for heading in ("strategy", "median s", "fastest s", "times faster", "bar", "peak MB", "share", "bar"):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    textbook = contenders[TEXTBOOK]
    for name, contender in contenders.items():
        _, speed_bar, memory_bar = CONTENDERS[name]
        seconds = statistics.median(contender.seconds)
        speed = statistics.median(textbook.seconds) / seconds
        share = contender.megabytes / textbook.megabytes
        table.add_row(
            name,
            f"{seconds:.3f}",
            f"{min(contender.seconds):.3f}",
            f"{speed:.2f}",
            _verdict(speed_bar, speed_bar is not None and speed >= speed_bar),
            f"{contender.megabytes:.0f}",
            f"{share:.2f}",
            _verdict(memory_bar, memory_bar is not None and share <= memory_bar),
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", help="contenders beside the textbook")
    parser.add_argument("--take-turns", help="be this contender, and obey who reads")
    sizes = {"channels": 16, "num-cells": 8, "num-nodes": 4, "batch-size": 16, "side": 32}
    for size, default in sizes.items():
        parser.add_argument(f"--{size}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    values = {size: getattr(given, size.replace("-", "_")) for size in sizes}
    if given.take_turns:
        setting = Setting(**{size.replace("-", "_"): value for size, value in values.items()})
        take_turns(setting, given.take_turns)
        return
    console = Console(width=110)
    names = [n for n in CONTENDERS if n == TEXTBOOK or not given.only or n in given.only]
    arguments = [
        f"--threads={given.threads}",
        *(f"--{size}={value}" for size, value in values.items()),
    ]
    contenders = {name: Contender(name, arguments) for name in names}
    for _ in range(given.rounds):
        for contender in contenders.values():
            contender.take_turn()
    for contender in contenders.values():
        contender.close()
    title = (
        f"One search step: {given.channels} channels, {given.num_cells} cells, {given.num_nodes} nodes, batch "
        f"{given.batch_size} of 3×{given.side}×{given.side}, {given.threads} threads, {given.rounds} rounds"
    )
    print_table(console, title, contenders)
    small = Setting(channels=4, num_cells=3, num_nodes=2, batch_size=8, side=given.side)
    difference = largest_difference(small, 20)
    console.print(
        f"Largest difference of darts' gradients from the textbook's, float64, 20 steps, 4 channels, 3 cells: "
        f"{difference:.1e} (bar 1e-10)"
    )


if __name__ == "__main__":
    main()
