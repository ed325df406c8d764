"""How often a search collapses to skip connections: the cells of NAS-Bench-201, a little of Fashion-MNIST.

Skip connections lead while the weights are still learning, which `darts` amplifies until nothing else is left. All
strategies search with the same data, supernet, epochs, batch size and learning rates. A finished search is a line of
the results file, and is not run again while its spec stays the same: a command that was killed resumes where it
stopped.
"""

import argparse
import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from benchmarks.fashion_data import DEFAULT_FOLDER, FILES, fashion_mnist
from benchmarks.outcomes import versions
from cellwright.canonical import digest
from cellwright.files import atomic_path, write_text
from cellwright.genotype import GenotypeLine
from cellwright.progress import Silent
from cellwright.results import SearchResult
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps.keys import step_settings
from cellwright.steps.running import run_step
from cellwright.strategies.one_shot.alphas import skip_fraction

SIDE, TRAINING, VALIDATION = 8, 2560, 2560
NUM_CELLS, CHANNELS = 2, 8
EPOCHS, BATCH_SIZE, LEARNING_RATE, ALPHA_LEARNING_RATE = 25, 64, 0.05, 0.003
VANILLA = "darts, guard off"
STRATEGIES: dict[str, dict[str, object]] = {
    VANILLA: {"kind": "darts", "guard": {"action": "off"}},
    "darts": {"kind": "darts"},
    "beta-darts": {"kind": "beta-darts", "guard": {"action": "off"}},
    "drnas": {"kind": "drnas", "guard": {"action": "off"}},
}
"""Guards are off but for the one that is measured, so that the others stand for themselves."""
SHOWN_EPOCHS = 5
"""The table has a column for each so many epochs."""
COLLAPSED = 0.8
"""Skip fractions above are a collapse."""


class Run(BaseModel):
    """A line of the results file."""

    spec: str
    """Digest of what the result depends on."""
    strategy: str
    seed: int
    genotype: GenotypeLine
    skip_fraction: float
    """Of the genotype."""
    epoch: int
    """The epoch that the genotype is from."""
    validation_accuracy: float
    """Of the supernet, then."""
    events: tuple[str, ...]
    cpu_seconds: float
    skip_fractions: tuple[float, ...]
    """Of what would have been derived after each epoch that was trained."""
    versions: str


def spec_of(name: str, seed: int, images: Path) -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "collapse",
            "seed": seed,
            "data": {
                "source": "npz",
                "path": str(images),
                "limit": TRAINING + VALIDATION,
                "validation_fraction": VALIDATION / (TRAINING + VALIDATION),
            },
            "augment": {"shift": 0, "rotate": 0, "scale": 0},
            "space": {"kind": "nasbench201", "num_cells": NUM_CELLS, "channels": CHANNELS},
            "strategy": STRATEGIES[name]
            | {
                "batch_size": BATCH_SIZE,
                "learning_rate": LEARNING_RATE,
                "alpha_learning_rate": ALPHA_LEARNING_RATE,
            },
            "budget": {"epochs": EPOCHS},
            "resources": {"cpu": 1},
        }
    )


def key_of(spec: SearchSpec) -> str:
    return digest([step_settings(STEPS["search"], spec), spec.data.model_dump(mode="json", exclude={"path"})])


def write_images(folder: Path, target: Path) -> None:
    """Write the training images, padded to 32×32 and reduced by averaging, and their labels."""
    files = fashion_mnist(folder)
    pixels = np.frombuffer(gzip.decompress((files / FILES["images"]).read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((files / FILES["labels"]).read_bytes()), np.uint8, offset=8)
    padded = np.pad(pixels.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    block = 32 // SIDE
    means = padded.reshape(-1, SIDE, block, SIDE, block).mean(axis=(2, 4))
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, images=means.round().astype(np.uint8), labels=labels)


def run_search(name: str, spec: SearchSpec, prepared: Path) -> Run:
    """Search as `cellwright run` does, on one thread."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as workspace:
        folder = run_step(STEPS["search"], spec, {"prepare": prepared}, Path(workspace), Silent())
        result = SearchResult.load(folder / SearchResult.FILE)
    return Run(
        spec=key_of(spec),
        strategy=name,
        seed=spec.seed,
        genotype=result.genotype,
        skip_fraction=round(skip_fraction(result.genotype), 3),
        epoch=result.epoch,
        validation_accuracy=result.score,
        events=result.events,
        cpu_seconds=round(time.process_time() - began, 1),
        skip_fractions=tuple(round(record.metrics["skip_fraction"], 3) for record in result.history),
        versions=versions(),
    )


def read_runs(results: Path) -> list[Run]:
    if not results.exists():
        return []
    return [Run.model_validate_json(line) for line in results.read_text().splitlines()]


def run_searches(specs: Iterable[tuple[str, SearchSpec]], prepared: Path, results: Path, jobs: int) -> None:
    """Append a line to the results for each search as it ends."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_search, name, spec, prepared) for name, spec in specs]):
            run = done.result()
            with results.open("a") as file:
                file.write(run.model_dump_json() + "\n")
            print(
                f"{run.strategy}, seed {run.seed}: {run.skip_fraction:.2f}, {run.cpu_seconds:.0f} s",
                flush=True,
            )


def table(runs: list[Run]) -> str:
    """Return the result in Markdown."""
    epochs = range(SHOWN_EPOCHS, EPOCHS + 1, SHOWN_EPOCHS)
    header = (
        "strategy",
        "collapsed",
        "skip fraction, mean (largest)",
        *(f"after epoch {epoch}" for epoch in epochs),
        "stopped by the guard",
        "validation accuracy",
        "CPU s",
    )
    rows = [header, ("---", *["---:"] * (len(header) - 1))]
    for name in STRATEGIES:
        chosen = [run for run in runs if run.strategy == name]
        if not chosen:
            continue
        found = [run.skip_fraction for run in chosen]
        curves = [
            [run.skip_fractions[e - 1] for run in chosen if e <= len(run.skip_fractions)] for e in epochs
        ]
        rows.append(
            (
                f"`{name}`",
                f"{sum(fraction > COLLAPSED for fraction in found)} of {len(chosen)}",
                f"{statistics.mean(found):.2f} ({max(found):.2f})",
                *(f"{statistics.mean(curve):.2f}" if curve else "" for curve in curves),
                str(sum("stopped" in event for run in chosen for event in run.events)),
                f"{statistics.mean(run.validation_accuracy for run in chosen):.3f}",
                f"{statistics.mean(run.cpu_seconds for run in chosen):.0f}",
            )
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def document(runs: list[Run]) -> str:
    """Return the table and what it was measured with."""
    minutes = sum(run.cpu_seconds for run in runs) / 60
    collapsed = {
        name: [run.skip_fraction > COLLAPSED for run in runs if run.strategy == name] for name in STRATEGIES
    }
    vanilla = collapsed.pop(VANILLA)
    others = ", ".join(f"`{name}` in {sum(seeds)}" for name, seeds in collapsed.items())
    met = sum(vanilla) >= 0.8 * len(vanilla) and not any(map(any, collapsed.values()))
    verdict = (
        f"With its guard off, `darts` collapsed in {sum(vanilla)} of {len(vanilla)} seeds,\n{others}. "
        f"The bar is {'met' if met else '**not met**'}."
    )
    return f"""# Collapse to skip connections

A search has collapsed if more than {COLLAPSED:g} of the edges of its genotype are skip connections, as the
guard counts them: 5 or 6 of the 6 edges of a NAS-Bench-201 cell. The bar: `darts` with its guard
off collapses in at least 8 of 10 seeds; `darts` with its guard, `beta-darts` and `drnas` collapse
in none. "After epoch" is the mean skip fraction of the genotype that would have been derived then,
over the searches that got that far. A search that its guard stopped returns the genotype of the
epoch before.

{table(runs)}

{verdict}

- Supernet: {NUM_CELLS} cells a stage, {CHANNELS} channels.
- Data: {TRAINING} training and {VALIDATION} validation images of Fashion-MNIST, padded to 32×32 and reduced to
  {SIDE}×{SIDE} by averaging, without augmentation.
- All strategies: {EPOCHS} epochs, batches of {BATCH_SIZE}, learning rate {LEARNING_RATE:g} of the weights
  and {ALPHA_LEARNING_RATE:g} of the alphas. Everything else is the spec's default: `darts` is bilevel, the
  others are single-level. Only `darts` has a guard, in one of its two rows.
- Seeds differ in initial weights, alphas and batches, not in the data.
- CPU seconds are of one thread; {len(runs)} searches took {minutes:.0f} minutes.
- Versions: {"; ".join(sorted({run.versions for run in runs}))}.

[collapse.jsonl](collapse.jsonl) has a line for each search. `make bench-collapse` writes this page.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2, help="searches at a time, one thread each")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="where Fashion-MNIST is, or is put")
    parser.add_argument("--workspace", type=Path, default=Path("runs/collapse"))
    parser.add_argument("--results", type=Path, default=Path("docs/benchmarks/collapse.jsonl"))
    parser.add_argument("--write", action="store_true", help="write the table beside the results too")
    given = parser.parse_args()
    images = given.data / f"fashion-{SIDE}x{SIDE}.npz"
    if not images.exists():
        write_images(given.data, images)
    specs = {(name, seed): spec_of(name, seed, images) for seed in range(given.seeds) for name in STRATEGIES}
    keys = {key_of(spec) for spec in specs.values()}
    finished = {(run.strategy, run.seed) for run in read_runs(given.results) if run.spec in keys}
    given.results.parent.mkdir(parents=True, exist_ok=True)
    prepared = run_step(STEPS["prepare"], next(iter(specs.values())), {}, given.workspace, Silent())
    left = [(name, spec) for (name, seed), spec in specs.items() if (name, seed) not in finished]
    run_searches(left, prepared, given.results, given.jobs)
    runs = [run for run in read_runs(given.results) if run.spec in keys]
    print(table(runs))
    if given.write:
        write_text(given.results.with_suffix(".md"), document(runs))


if __name__ == "__main__":
    main()
