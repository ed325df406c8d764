"""How long an epoch of retraining takes, beside the same network written by hand in torch; prints a table."""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.handwritten import HandwrittenNetwork, HandwrittenTraining
from cellwright.data.split import Split
from cellwright.genotype import Genotype
from cellwright.spaces.darts.network import Network
from cellwright.spaces.darts.section import DARTS_PRIMITIVES
from cellwright.spaces.darts.space import Darts
from cellwright.spec import Retrain
from cellwright.tasks.images.section import ImagesSection
from cellwright.testing.images import numbered_images
from cellwright.training.retraining import Retraining

NUM_CELLS, CHANNELS, BATCH_SIZE, NUM_BATCHES = 8, 16, 16, 4


def contenders(genotype: Genotype, checkpoint: Path) -> dict[str, Callable[[], object]]:
    """Return what trains an epoch, by name."""
    images = torch.randn(BATCH_SIZE * NUM_BATCHES, 3, 32, 32)
    split = Split((images,), torch.arange(len(images)) % 10)
    task = numbered_images((3, 32, 32), 10)
    ours = Retraining(
        Network(task, genotype, num_cells=NUM_CELLS, channels=CHANNELS),
        split,
        Retrain(batch_size=BATCH_SIZE, drop_path=0.0, mixup=0.0, ema_decay=None),
        ImagesSection(shift=0, rotate=0, scale=0),
        task=task,
        seed=0,
        checkpoint=checkpoint,
    )
    by_hand = HandwrittenTraining(
        HandwrittenNetwork(3, 10, genotype, num_cells=NUM_CELLS, channels=CHANNELS),
        split[:].inputs[0],
        split.targets,
        BATCH_SIZE,
    )
    return {"written by hand": by_hand.train_epoch, "cellwright": lambda: ours.train_epoch(1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--genotypes", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    table = Table(
        title=f"An epoch of {NUM_BATCHES} batches of {BATCH_SIZE}×3×32×32, {NUM_CELLS} cells, {CHANNELS} channels, "
        f"{given.threads} threads, {given.rounds} rounds"
    )
    for heading in ("genotype", "by hand, median s", "cellwright, median s", "ratio (bar 1)"):
        table.add_column(heading, justify="right")
    space = Darts(primitives=DARTS_PRIMITIVES, num_nodes=4)
    for seed in range(given.genotypes):
        with tempfile.TemporaryDirectory() as folder:
            trained = contenders(space.sample(random.Random(seed)), Path(folder) / "checkpoint")
            seconds: dict[str, list[float]] = {name: [] for name in trained}
            for turn in range(given.rounds + 1):
                for name, train_epoch in trained.items():
                    began = time.perf_counter()
                    train_epoch()
                    if turn:  # the first turn warms up
                        seconds[name].append(time.perf_counter() - began)
        by_hand, ours = (statistics.median(values) for values in seconds.values())
        table.add_row(f"random, seed {seed}", f"{by_hand:.3f}", f"{ours:.3f}", f"{ours / by_hand:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
