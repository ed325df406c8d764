"""How well the networks that people build by hand do, each with the same recipe and seconds of CPU time.

A cell of the table is one training run: a data set, a shape, a number format, a budget and a seed. Budgets are CPU
seconds of one thread. The prices of training steps are measured first, all in a few minutes, and stored beside the
results. A price fixes the number of steps, and the learning rate falls to 0 at the last of them. So a run follows from
its price and its seed, however busy the machine is and however long it takes.

A finished cell is a line of the results and is not repeated: a command that was killed resumes with the cells that are
missing, the most informative first.
"""

import argparse
import itertools
import math
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.fashion_data import DEFAULT_FOLDER, fashion_data
from benchmarks.hand_shapes import SHAPES, build_shape
from benchmarks.hand_table import FORMATS, Cell, Outcome, Price, leaders, report
from benchmarks.outcomes import append_outcome, load_outcomes, versions
from cellwright.data.prepared import PreparedData
from cellwright.data.split import Batch, Split
from cellwright.files import write_text
from cellwright.nn.cost import count_macs, count_params, measure_latency
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Silent
from cellwright.spec import Precision, SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps.running import run_step
from cellwright.tasks.base import read_task
from cellwright.tasks.images.augmentation import augment_images
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification
from cellwright.training.precision import autocast, channels_last
from cellwright.training.randomness import generator
from cellwright.training.retraining import predict

NUM_IMAGES = 10_000
FASHION, CIFAR = DATA = ("Fashion-MNIST", "CIFAR-10")
BUDGETS = (90.0, 480.0)
SEEDS = (0, 1, 2)

BATCH_SIZE = 64
LEARNING_RATE, WEIGHT_DECAY, WARM_UP, GRADIENT_CLIP = 4e-3, 0.05, 0.05, 5.0
LABEL_SMOOTHING = 0.1
AVERAGE_DECAY = 0.99
AUGMENT = ImagesSection(shift=0.07, rotate=0, scale=0, flip="horizontal")
"""No class of either data set depends on which way it faces."""
RECIPE = (
    f"AdamW (weight decay {WEIGHT_DECAY:g} of convolutions and linear layers), batches of {BATCH_SIZE}, learning rate "
    f"{LEARNING_RATE:g} after a warm-up of {WARM_UP:.0%} of the steps and then in a straight line to 0, gradients "
    f"clipped to {GRADIENT_CLIP:g}, label smoothing {LABEL_SMOOTHING:g}, shifts of up to {AUGMENT.shift:.0%} of the "
    f"side, mirrored images, and running averages of the weights ({AVERAGE_DECAY:g} a step, less in the first steps)"
)

PASSES, ROUNDS, STEPS_PER_ROUND = 3, 3, 4
"""Passes over all prices, and steps that are timed in each, after a round that warms up. The fastest round counts, and
passes are minutes apart: what else the machine does hardly slows all of them."""
FORMAT_SHAPE = "conv-pool-conv 32-96-128"
"""Timed in each number format to learn which is the faster on this machine."""

WORKSPACE = Path("runs/hand-designed")
RESULTS = Path("docs/benchmarks/hand_designed.jsonl")


class Training:
    """Trains a network step by step at the rates that it is given."""

    def __init__(self, network: nn.Module, split: Split, precision: Precision, seed: int) -> None:
        self.network = channels_last(network).train()
        self.precision: Precision = precision
        self.batches = _batches(split, seed)
        self.rng = generator(seed, "augment")
        parameters = list(network.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, fused=True)
        self.weights = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
        self.average = [tensor.clone() for tensor in self.weights]
        self.steps = 0

    def step(self, rate: float) -> None:
        (x,), labels = next(self.batches)
        x = augment_images(x, AUGMENT, self.rng)
        with autocast(self.precision, x.device):
            loss = functional.cross_entropy(self.network(x), labels, label_smoothing=LABEL_SMOOTHING)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_CLIP)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * LEARNING_RATE
        self.optimizer.step()
        decay = min(AVERAGE_DECAY, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.weights, 1 - decay)
        self.steps += 1

    def averaged(self) -> nn.Module:
        """Return the network with its averaged weights, in eval mode; ends the training."""
        for tensor, average in zip(self.weights, self.average, strict=True):
            tensor.copy_(average)
        return self.network.eval()


def _batches(split: Split, seed: int) -> Iterator[Batch]:
    for epoch in itertools.count(1):
        yield from split.batches(BATCH_SIZE, seed=seed, epoch=epoch)


def rates(num_steps: int) -> Iterator[float]:
    """Yield the learning rate of each step as a share of its peak."""
    warm_up = WARM_UP * num_steps
    for step in range(num_steps):
        yield min((step + 1) / (warm_up + 1), (num_steps - step) / (num_steps - warm_up))


def training_of(shape: str, data: PreparedData, precision: Precision, seed: int) -> Training:
    with seeded_initialisation(seed):
        task = read_task(data.manifest.task)
        assert isinstance(task, ImageClassification)
        network = build_shape(shape, task)
    return Training(network, data.train_and_validation(), precision, seed)


def measure_price(shape: str, data: PreparedData, precision: Precision) -> float:
    """Return the CPU seconds of one training step."""
    training = training_of(shape, data, precision, seed=0)
    rounds = []
    for _ in range(1 + ROUNDS):
        began = time.process_time()
        for _ in range(STEPS_PER_ROUND):
            training.step(1.0)
        rounds.append((time.process_time() - began) / STEPS_PER_ROUND)
    return min(rounds[1:])


def prices_beside(results: Path) -> Path:
    """Return the file of prices."""
    return results.with_name(f"{results.stem}_prices.jsonl")


def measure_prices(wanted: Iterable[Cell], prepared: Mapping[str, Path], results: Path) -> list[Price]:
    """Measure the prices that are missing, append a line for each, and return all."""
    path = prices_beside(results)
    prices = load_outcomes(path, Price)
    known = {(price.data, price.shape, price.precision) for price in prices}
    fastest = {cell[:3]: math.inf for cell in wanted if cell[:3] not in known}
    for _ in range(PASSES):
        for name, shape, precision in fastest:
            seconds = measure_price(shape, PreparedData.open(prepared[name]), precision)
            fastest[name, shape, precision] = min(fastest[name, shape, precision], seconds)
    for (name, shape, precision), seconds in fastest.items():
        price = Price(data=name, shape=shape, precision=precision, seconds=seconds, versions=measured_on())
        append_outcome(path, price)
        prices.append(price)
    return prices


def measured_on() -> str:
    """Say with what and where a price or a run was measured."""
    return f"{versions()} with {torch.backends.cpu.get_cpu_capability()}"


def price_of(cell: Cell, prices: Iterable[Price]) -> float:
    """Return the CPU seconds of a training step of the cell."""
    return next(price.seconds for price in prices if (price.data, price.shape, price.precision) == cell[:3])


def faster_formats(prices: Sequence[Price]) -> list[Precision]:
    """Return the number formats, the one that is faster on this machine first."""
    seconds = {price.precision: price.seconds for price in reversed(prices) if price.shape == FORMAT_SHAPE}
    return sorted(FORMATS, key=lambda precision: seconds.get(precision, 0.0))


def run_cell(cell: Cell, folder: Path, price: float) -> Outcome:
    """Train and test, on one thread.

    Args:
        cell: what to train, and for how long.
        folder: the prepared data.
        price: of a step.
    """
    torch.set_num_threads(1)
    data = PreparedData.open(folder)
    num_steps = max(1, round(cell.seconds / price))
    training = training_of(cell.shape, data, cell.precision, cell.seed)
    began = time.process_time()
    for rate in rates(num_steps):
        training.step(rate)
    seconds = time.process_time() - began
    network = training.averaged()
    right = predict(network, data.test).argmax(dim=1) == data.test.targets
    image = read_task(data.manifest.task).example(1)
    latencies = measure_latency(network, image, repeats=50, clock=time.process_time)
    return Outcome(
        **cell._asdict(),
        test_accuracy=right.double().mean().item(),
        price=price,
        steps=num_steps,
        epochs=num_steps * BATCH_SIZE / len(data.train_and_validation()),
        cpu_seconds=seconds,
        params=count_params(network),
        macs=count_macs(network, image),
        latency_ms=statistics.median(latencies),
        versions=measured_on(),
    )


def run_apart(cell: Cell, folder: Path, price: float) -> Outcome:
    """Run the cell in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(run_cell, cell, folder, price).result()


def all_cells(data: Iterable[str]) -> list[Cell]:
    return [Cell(*cell) for cell in itertools.product(data, SHAPES, FORMATS, BUDGETS, SEEDS)]


def missing(wanted: Iterable[Cell], done: Sequence[Outcome], formats: Sequence[Precision]) -> list[Cell]:
    """Return the cells that are not done, the most informative first.

    Args:
        wanted: all cells.
        done: the outcomes so far; which shapes lead decides what comes next.
        formats: the number formats, the faster first.
    """
    short, long = BUDGETS
    fast, slow = formats
    leading = {
        (data, seconds): leaders(done, data, seconds)
        for data in {run.data for run in done}
        for seconds in BUDGETS
    }
    phases = (
        (short, fast, True, None),
        (short, slow, True, None),
        (long, fast, True, short),
        (short, fast, False, short),
        (long, fast, True, None),
        (long, fast, False, long),
        (long, slow, True, long),
    )
    """Budget, format, whether of the first seed, and the budget at which the shape must lead."""

    def urgency(cell: Cell) -> tuple[int, int, int]:
        first = cell.seed == SEEDS[0]
        for phase, (seconds, precision, of_first, led) in enumerate(phases):
            if (cell.seconds, cell.precision, first) == (seconds, precision, of_first) and (
                led is None or cell.shape in leading.get((cell.data, led), ())
            ):
                return phase, cell.seed, DATA.index(cell.data)
        return len(phases), cell.seed, DATA.index(cell.data)

    finished = {run.cell for run in done}
    return sorted((cell for cell in wanted if cell not in finished), key=urgency)


def run_cells(
    wanted: Sequence[Cell],
    prepared: Mapping[str, Path],
    results: Path,
    *,
    jobs: int = 1,
    write: bool = False,
) -> None:
    """Run the cells that are missing, each in a process of its own, and append a line for each as it ends."""
    os.environ["OMP_NUM_THREADS"] = "1"
    prices = measure_prices(wanted, prepared, results)
    formats = faster_formats(prices)
    running: dict[Future[Outcome], Cell] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            done = load_outcomes(results, Outcome)
            left = [cell for cell in missing(wanted, done, formats) if cell not in running.values()]
            for cell in left[: jobs - len(running)]:
                running[pool.submit(run_apart, cell, prepared[cell.data], price_of(cell, prices))] = cell
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                outcome = future.result()
                append_outcome(results, outcome)
                print(outcome, flush=True)
            if write:
                write_report(results)


def write_report(results: Path) -> None:
    """Write the table beside the results."""
    text = report(
        load_outcomes(results, Outcome),
        all_cells(DATA),
        RECIPE,
        NUM_IMAGES,
        lines=results.name,
        prices=prices_beside(results).name,
    )
    write_text(results.with_suffix(".md"), text)


def prepare(data: dict[str, Any]) -> Path:
    spec = SearchSpec.model_validate({"name": "hand-designed", "data": data | {"limit": NUM_IMAGES}})
    return run_step(STEPS["prepare"], spec, {}, WORKSPACE / "prepared", Silent())


def cifar_data(archive: Path) -> dict[str, str]:
    """Return the spec's `data` section for a .tar.gz of train/CLASS/*.jpg and test/CLASS/*.jpg, unpacked once."""
    folder = WORKSPACE / "cifar10"
    if not folder.exists():
        WORKSPACE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WORKSPACE) as temporary, tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
            Path(temporary).rename(folder)
    return {"source": "images", "path": str(folder / "train"), "test_path": str(folder / "test")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", nargs="+", default=DATA, choices=DATA, metavar="NAME", help=" or ".join(DATA)
    )
    parser.add_argument(
        "--fashion", type=Path, default=DEFAULT_FOLDER, help="where Fashion-MNIST is, or is put"
    )
    parser.add_argument(
        "--cifar", type=Path, help="archive of CIFAR-10's images; without it CIFAR-10 is skipped"
    )
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time, of one thread each")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--prices", action="store_true", help="only measure prices, for which the machine must be idle"
    )
    parser.add_argument("--write", action="store_true", help="write the table too, after each cell")
    parser.add_argument("--table", action="store_true", help="only write the table of what is finished")
    given = parser.parse_args()
    if not given.table:
        torch.set_num_threads(1)
        prepared = {}
        if FASHION in given.data:
            prepared[FASHION] = prepare(fashion_data(given.fashion))
        if CIFAR in given.data and given.cifar:
            prepared[CIFAR] = prepare(cifar_data(given.cifar))
        cells = all_cells(prepared)
        if given.prices:
            measure_prices(cells, prepared, given.results)
            return
        run_cells(cells, prepared, given.results, jobs=given.jobs, write=given.write)
    if given.table or given.write:
        write_report(given.results)


if __name__ == "__main__":
    main()
