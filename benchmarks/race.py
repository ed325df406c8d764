"""How well a race does within a budget, next to the best hand-designed networks with all of it.

A cell is a race on a data set with a budget and a seed, in CPU seconds of one thread, which prices, race and final
training share. It is compared with the networks of `benchmarks.hand_designed`, which have the same data, recipe and
budget. Prices and the plan that follows from them are measured first, once for all seeds, and stored beside the
results; all else follows from them and the seed, however busy the machine is. A finished cell is a line of the results;
a command that was killed resumes.
"""

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.fashion_data import DEFAULT_FOLDER, fashion_data
from benchmarks.hand_designed import (
    AUGMENT,
    CIFAR,
    FASHION,
    LABEL_SMOOTHING,
    LEARNING_RATE,
    NUM_IMAGES,
    WARM_UP,
    cifar_data,
)
from benchmarks.hand_designed import RESULTS as HAND_DESIGNED
from benchmarks.hand_table import Outcome as HandDesigned
from benchmarks.outcomes import append_outcome, load_outcomes, markdown, mean_and_spread
from cellwright.canonical import digest
from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.progress import Progress, Silent
from cellwright.results import RacedNetwork, RaceResult, Result, SearchResult
from cellwright.search.racing import Plan, PlannedNetwork, make_plan, race_search
from cellwright.spec import Precision, SearchSpec
from cellwright.steps.running import run_until
from cellwright.training.course import WINNER, Course
from cellwright.training.networks import continue_network, genotype_network, load_network
from cellwright.training.retraining import predict

BUDGETS = {FASHION: (90.0, 480.0), CIFAR: (150.0, 480.0)}
"""Seconds, by data set."""
SEEDS = (0, 1, 2)
WORKSPACE = Path("runs/race")
RESULTS = Path("docs/benchmarks/race.jsonl")


class PlannedCell(Result):
    """The plan of the races on a data set within a budget."""

    data: str
    seconds: float
    plan: Plan


class Outcome(Result):
    """A finished cell."""

    data: str
    seconds: float
    seed: int
    test_accuracy: float
    cpu_seconds: float
    """That prices, race and training took."""
    price_seconds: float | None = None
    """That measuring prices took; None of cells before that was recorded."""
    steps: int
    """Training steps of the winner."""
    precision: str
    sentence: str
    leaderboard: tuple[RacedNetwork, ...]


def spec_of(data: Mapping[str, Any], seconds: float, seed: int, limit: int | None = NUM_IMAGES) -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "race",
            "seed": seed,
            "data": {**data, "limit": limit},
            "augment": AUGMENT.model_dump(),
            "space": {"kind": "stages"},
            "strategy": {"kind": "race", "recipe": "given"},
            "budget": {"minutes": seconds / 60},
            "retrain": {
                "learning_rate": LEARNING_RATE,
                "warmup": WARM_UP,
                "label_smoothing": LABEL_SMOOTHING,
                "drop_path": 0,
            },
            "resources": {"cpu": 1},
        }
    )


class Raced(NamedTuple):
    """Where a race and the winner's final training have come to."""

    data: PreparedData
    race: RaceResult
    folder: Path
    """Of the trained network."""


def plans_beside(results: Path) -> Path:
    """Return the file of plans."""
    return results.with_name(f"{results.stem}_plans.jsonl")


def plan_of(name: str, spec: SearchSpec, plans: Path) -> Plan:
    """Return the plan of the spec's races on a data set, measured and stored if it is not in the file yet."""
    seconds = spec.budget.seconds
    assert seconds is not None
    for stored in load_outcomes(plans, PlannedCell):
        if (stored.data, stored.seconds) == (name, seconds):
            return stored.plan
    prepared = run_until("prepare", spec, WORKSPACE, Silent())["prepare"]
    with TemporaryDirectory() as folder:
        plan = make_plan(spec, prepared, Path(folder), Silent())
    append_outcome(plans, PlannedCell(data=name, seconds=seconds, plan=plan))
    return plan


def train(spec: SearchSpec, plan: Plan, workspace: Path, progress: Progress) -> Raced:
    """Race, and train the winner to the end, from wherever an earlier call in the workspace was stopped."""
    prepared = run_until("prepare", spec, workspace, progress)["prepare"]
    key = digest([spec.model_dump(mode="json"), plan.model_dump(mode="json")])[:16]
    search, trained = workspace / f"raced-{key}", workspace / f"trained-{key}"
    if not (search / SearchResult.FILE).exists():
        search.mkdir(exist_ok=True)
        plan.save(search / Plan.FILE)
        race_search(spec, prepared, search, progress).save(search / SearchResult.FILE)
    found = SearchResult.load(search / SearchResult.FILE)
    assert found.race is not None
    data, race, spec = PreparedData.open(prepared), found.race, spec.tuned(found.tuned)
    config = genotype_network(spec, data.manifest, found.genotype)
    course = Course(steps=race.steps, cool_down=race.done, precision=race.precision)
    trained.mkdir(exist_ok=True)
    winner = search / WINNER if race.done else None
    continue_network("found", config, data, spec, course, winner, trained, progress)
    return Raced(data, race, trained)


def train_alone(
    name: str, spec: SearchSpec, data: PreparedData, network: PlannedNetwork, precision: Precision
) -> Tensor:
    """Return the outputs on the test split of a planned network that is trained with all of the budget."""
    config = genotype_network(spec, data.manifest, network.genotype)
    course = Course(steps=network.steps, cool_down=0, precision=precision)
    with TemporaryDirectory() as folder:
        continue_network(name, config, data, spec, course, None, Path(folder), Silent())
        return predict(load_network(Path(folder)), data.test)


def run_cell(name: str, source: dict[str, Any], seconds: float, seed: int, plans: Path) -> Outcome:
    spec = spec_of(source, seconds, seed)
    plan = plan_of(name, spec, plans)
    began = time.process_time()
    data, race, folder = train(spec, plan, WORKSPACE, Silent())
    used = plan.prices.spent + time.process_time() - began
    right = predict(load_network(folder), data.test).argmax(dim=1) == data.test.targets
    return Outcome(
        data=name,
        seconds=seconds,
        seed=seed,
        test_accuracy=right.double().mean().item(),
        cpu_seconds=used,
        price_seconds=plan.prices.spent,
        steps=race.steps,
        precision=race.precision,
        sentence=race.sentence,
        leaderboard=race.leaderboard,
    )


def report(outcomes: Sequence[Outcome], by_hand: Sequence[HandDesigned]) -> str:
    """Return the page."""
    total = sum(map(len, BUDGETS.values())) * len(SEEDS)
    parts = [
        "# A race next to networks designed by hand\n",
        f"{len(outcomes)} of {total} races are done. {NUM_IMAGES:,} training images, all 10,000 test images.\n"
        "The budget is CPU seconds of one thread. A race has its prices, its comparisons and the final training in\n"
        "it; a hand-designed network is trained with all of it ([how](hand_designed.md)), in its better number\n"
        "format. Mean ± standard deviation over seeds, the number of seeds in brackets.\n",
        *(_table(data, outcomes, by_hand) for data in BUDGETS if any(o.data == data for o in outcomes)),
    ]
    for outcome in outcomes:
        lines = [["network", "ms/step", "epochs", "share of the budget", "loss", "P", "outcome"]]
        lines.append(["---", "--:", "--:", "--:", "--:", "--:", "---"])
        lines += [
            [
                network.name,
                f"{network.step_ms:.1f}",
                f"{network.epochs:.1f}",
                f"{network.share:.1%}",
                "" if network.loss is None else f"{network.loss:.4f}",
                "" if network.p_better is None else f"{network.p_better:.2f}",
                network.outcome,
            ]
            for network in outcome.leaderboard
        ]
        parts.append(
            f"## {outcome.data}, {outcome.seconds:g} s, seed {outcome.seed}: {100 * outcome.test_accuracy:.2f} %\n\n"
            f"{outcome.sentence}. {outcome.steps:,} steps in {outcome.precision}; {outcome.cpu_seconds:.0f} CPU "
            f"seconds{_prices(outcome)}.\n\n{markdown(lines)}"
        )
    parts.append(
        "`python -m benchmarks.race` makes this page, and resumes with the cells that are missing.\n"
    )
    return "\n".join(parts)


def _prices(outcome: Outcome) -> str:
    return f", {outcome.price_seconds:.1f} of them for prices" if outcome.price_seconds else ""


def _table(data: str, outcomes: Sequence[Outcome], by_hand: Sequence[HandDesigned]) -> str:
    """Return the scores of races and of hand-designed networks on one data set."""
    budgets = BUDGETS[data]
    rows = [[f"{data}: test accuracy, %", *(f"{seconds:g} s" for seconds in budgets)]]
    rows.append(["---", *("--:" for _ in budgets)])
    raced = [
        [100 * o.test_accuracy for o in outcomes if (o.data, o.seconds) == (data, seconds)]
        for seconds in budgets
    ]
    rows.append(["**race**", *map(mean_and_spread, raced)])
    for shape in dict.fromkeys(run.shape for run in by_hand if run.data == data):
        cells = []
        for seconds in budgets:
            runs = [r for r in by_hand if (r.data, r.shape, r.seconds) == (data, shape, seconds)]
            formats = {
                r.precision: [100 * s.test_accuracy for s in runs if s.precision == r.precision] for r in runs
            }
            cells.append(mean_and_spread(max(formats.values(), key=statistics.mean, default=[])))
        rows.append([shape, *cells])
    return markdown(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", nargs="+", default=tuple(BUDGETS), choices=BUDGETS, metavar="NAME")
    parser.add_argument(
        "--fashion", type=Path, default=DEFAULT_FOLDER, help="where Fashion-MNIST is, or is put"
    )
    parser.add_argument("--cifar", type=Path, help="archive of CIFAR-10's images; without it it is skipped")
    parser.add_argument("--seconds", type=float, nargs="+", help="budgets; by default those of the table")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument(
        "--plans", action="store_true", help="only measure prices, for which the machine must be idle"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    WORKSPACE.mkdir(parents=True, exist_ok=True)
    plans = plans_beside(given.results)
    for name in given.data:
        if name == CIFAR and not given.cifar:
            continue
        source = cifar_data(given.cifar) if name == CIFAR else fashion_data(given.fashion)
        for seconds in given.seconds or BUDGETS[name]:
            if given.plans:
                plan_of(name, spec_of(source, seconds, SEEDS[0]), plans)
                continue
            for seed in given.seeds:
                done = load_outcomes(given.results, Outcome)
                if not any((o.data, o.seconds, o.seed) == (name, seconds, seed) for o in done):
                    append_outcome(given.results, run_cell(name, source, seconds, seed, plans))
                page = report(
                    load_outcomes(given.results, Outcome), load_outcomes(HAND_DESIGNED, HandDesigned)
                )
                write_text(given.results.with_suffix(".md"), page)


if __name__ == "__main__":
    main()
