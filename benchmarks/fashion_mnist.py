"""What each strategy finds for Fashion-MNIST in four minutes of two cores, beside what needs no search.

A run has 480 seconds of CPU time: 35 % to search in, the rest to train what was found from scratch. CPU time of one
thread counts, not wall time, so that runs beside others on a busy machine stay comparable. How many epochs fit is
measured first, on that time, so that learning rates fall to 0 as it ends; a cheaper network gets more epochs. The
test images are opened once by each run, for its final accuracy.

A finished run is a line of the results; the command goes on from what stands there, and then writes the table.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

import cellwright
from benchmarks.cpu_budget import search_epochs, training_epochs
from benchmarks.fashion_data import DEFAULT_FOLDER, fashion_data
from benchmarks.fashion_table import Outcome, table
from benchmarks.outcomes import append_outcome, load_outcomes
from cellwright.canonical import canonical_json
from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.progress import Silent
from cellwright.results import SearchResult, TrainingResult
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spaces.building import NetworkConfig, hand_designed_network
from cellwright.spec import SearchSpec, parse_spec
from cellwright.step_list import STEPS
from cellwright.steps import search
from cellwright.steps.running import run_step
from cellwright.tasks.base import read_task
from cellwright.training.networks import genotype_network, load_network, train_network
from cellwright.training.retraining import predict

WHOLE_SECONDS = 480.0
SEARCH_SECONDS = 0.35 * WHOLE_SECONDS
"""CPU time of one thread."""

NUM_IMAGES = 10_000
SEARCHED_IMAGES = 4_000
"""Of those: a step of most supernets costs several times a network's."""

SHARED: dict[str, Any] = {
    "name": "fashion-mnist",
    "data": {"validation_fraction": 0.2},
    "augment": {"shift": 0.07, "rotate": 0, "scale": 0, "flip": "horizontal"},
    "space": {"kind": "nasbench201", "num_cells": 1, "channels": 8},
    "strategy": {"batch_size": 32, "score_examples": 250},
    "retrain": {"drop_path": 0.0},
    "resources": {"cpu": "1"},
}
"""What the specs of all contenders say; the rest are defaults."""

STRATEGIES = ("beta-darts", "drnas", "darts", "pc-darts", "gdas", "spos", "enas", "random-ws")
WHOLE = "whole budget"
RANDOM, RANDOM_WHOLE, RESNET_WHOLE = "random", f"random, {WHOLE}", f"resnet, {WHOLE}"
CONTENDERS = (*STRATEGIES, RANDOM, RANDOM_WHOLE, RESNET_WHOLE)
FIRST = (("beta-darts", RANDOM, "random-ws"), (RANDOM_WHOLE, RESNET_WHOLE), CONTENDERS)
"""What is run before what."""

WORKSPACE = Path("runs/fashion-mnist-benchmark")
RESULTS = Path("docs/benchmarks/fashion_mnist.jsonl")


def spec_for(contender: str, seed: int, data: Path, num_images: int) -> SearchSpec:
    """Return what a user would write; contenders differ in nothing but the strategy's kind."""
    kind = {"kind": contender if contender in STRATEGIES else "beta-darts"}
    images = fashion_data(data) | {"limit": num_images} | SHARED["data"]
    own = {"seed": seed, "data": images, "strategy": kind | SHARED["strategy"]}
    return parse_spec(canonical_json(SHARED | own))


def prepared(spec: SearchSpec) -> Path:
    return run_step(STEPS["prepare"], spec, {}, WORKSPACE, Silent())


def run(contender: str, seed: int, data: Path, beside: Sequence[Outcome], folder: Path) -> Outcome:
    """Search if the contender does, train, and open the test images.

    Args:
        contender: one of CONTENDERS.
        seed: of everything but the split.
        data: the folder of the images.
        beside: finished runs, which tell a ResNet its size.
        folder: an empty one.
    """
    spec = spec_for(contender, seed, data, NUM_IMAGES)
    images = PreparedData.open(prepared(spec))
    torch.set_num_threads(spec.resources.threads)
    began = time.process_time()
    found = found_by(contender, seed, data, folder) if contender in STRATEGIES else None
    searched = time.process_time()
    config = network_of(spec, images, contender, found, beside)
    seconds = WHOLE_SECONDS - (0 if contender in (RANDOM_WHOLE, RESNET_WHOLE) else SEARCH_SECONDS)
    epochs = training_epochs(spec, config, images, seconds)
    spec = spec.model_copy(update={"retrain": spec.retrain.model_copy(update={"epochs": epochs})})
    train_network(contender, config, images, spec, folder, Silent())
    ended = time.process_time()
    trained = TrainingResult.load(folder / TrainingResult.FILE)
    right = predict(load_network(folder), images.test).argmax(dim=1) == images.test.targets
    return Outcome(
        contender=contender,
        seed=seed,
        test_accuracy=right.double().mean().item(),
        genotype=trained.genotype,
        params=trained.params,
        macs=trained.macs,
        search_epochs=len(found.history) if found else 0,
        search_seconds=searched - began,
        retrain_epochs=epochs,
        retrain_seconds=ended - searched,
        versions={
            "cellwright": cellwright.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )


def found_by(contender: str, seed: int, data: Path, folder: Path) -> SearchResult:
    """Search on a part of the images for as many epochs as its CPU time holds."""
    spec = spec_for(contender, seed, data, SEARCHED_IMAGES)
    part = PreparedData.open(prepared(spec))
    epochs = search_epochs(spec, part, SEARCH_SECONDS)
    spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"epochs": epochs})})
    search.search(spec, {"prepare": part.folder}, folder / "search", Silent())
    return SearchResult.load(folder / "search" / SearchResult.FILE)


def network_of(
    spec: SearchSpec,
    images: PreparedData,
    contender: str,
    found: SearchResult | None,
    beside: Sequence[Outcome],
) -> NetworkConfig:
    if contender == RESNET_WHOLE:
        (params,) = (run.params for run in beside if (run.contender, run.seed) == ("beta-darts", spec.seed))
        task = read_task(images.manifest.task)
        return hand_designed_network(task, "resnet", params)
    if found:
        return genotype_network(spec, images.manifest, found.genotype)
    rng = random.Random(derive_seed(spec.seed, "random architecture", 0))
    return genotype_network(spec, images.manifest, build_space(spec.space).sample(rng))


def missing(seeds: Sequence[int], only: Sequence[str], done: Sequence[Outcome]) -> Iterator[tuple[str, int]]:
    """Yield the runs that are left, the most wanted first."""
    started = {(run.contender, run.seed) for run in done}
    for contenders in FIRST:
        for seed in seeds:
            for contender in contenders:
                if contender in only and (contender, seed) not in started:
                    started.add((contender, seed))
                    yield contender, seed


def run_apart(results: Path, data: Path, contender_and_seed: tuple[str, int]) -> None:
    """Run in a process of its own, of one thread, whose end ends nothing else."""
    contender, seed = contender_and_seed
    arguments = [f"--results={results}", f"--data={data}", f"--seeds={seed}", f"--run={contender}"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fashion_mnist", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        print(f"{contender}, seed {seed}: failed ({done.returncode}): {done.stderr}", flush=True)


REPORT = """# Fashion-MNIST in four minutes of two cores

{table}
`python -m benchmarks.fashion_mnist` writes this table. The runs, with their genotypes, are in
[{lines}]({lines}); the command resumes from those that are there.

- **Budget**: {whole:.0f} s of CPU time for each run, which two cores give in four minutes: {search:.0f} s for the
  search, {retrain:.0f} s to train what was found. It is CPU time of one thread, so that runs on a busy
  machine stay comparable. How many epochs fit is measured first, within the same time.
- **Contenders**: `{random}` is an architecture sampled from the same space for each seed, trained
  for as long as those found. With the {whole_name}, all of the time is for training. The ResNet
  has as many parameters as the network that `beta-darts` found.
- **Data**: {images:,} training images, of which searches see {searched:,}. Accuracy is on all 10,000 test
  images, mean and standard deviation over seeds. The interval is Welch's, over seeds.
- **Versions**: {versions}.

All specs share this; everything else is a default:

```yaml
{spec}```
"""


def write_report(results: Path) -> None:
    """Write the table beside the results."""
    outcomes = load_outcomes(results, Outcome)
    text = REPORT.format(
        table=table(outcomes, CONTENDERS, RANDOM),
        lines=results.name,
        whole=WHOLE_SECONDS,
        search=SEARCH_SECONDS,
        retrain=WHOLE_SECONDS - SEARCH_SECONDS,
        random=RANDOM,
        whole_name=WHOLE,
        images=NUM_IMAGES,
        searched=SEARCHED_IMAGES,
        versions="; ".join(sorted({", ".join(map(" ".join, run.versions.items())) for run in outcomes})),
        spec=yaml.safe_dump(SHARED, sort_keys=False),
    )
    write_text(results.with_suffix(".md"), text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=CONTENDERS, choices=CONTENDERS, metavar="CONTENDER")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, of one thread each")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="folder of the IDX files")
    parser.add_argument("--table", action="store_true", help="only write the table of what is finished")
    parser.add_argument("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        with tempfile.TemporaryDirectory() as folder:
            beside = load_outcomes(given.results, Outcome)
            outcome = run(given.run, given.seeds[0], given.data, beside, Path(folder))
        append_outcome(given.results, outcome)
        print(f"{outcome.contender}, seed {outcome.seed}: {outcome.test_accuracy:.4f}", flush=True)
        return
    if not given.table:
        for num_images in (NUM_IMAGES, SEARCHED_IMAGES):
            prepared(spec_for(RANDOM, 0, given.data, num_images))
        left = missing(given.seeds, given.only, load_outcomes(given.results, Outcome))
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(partial(run_apart, given.results, given.data), left))
    write_report(given.results)


if __name__ == "__main__":
    main()
