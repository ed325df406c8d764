"""What each change of the recipe is worth, by the number of epochs that a budget is enough for.

A cell is a data set, a budget, a seed and a recipe: the changes that it makes to the recipe of `benchmarks.race`. The
network is the one that a race starts with, at the width that a race would give it, and has all of the budget: CPU
seconds of one thread. Plans are measured first and stored beside the results, so that all recipes have equally many
steps. A finished cell is a line of the results; a command that was killed resumes.
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from benchmarks.image_sets import SETS, add_data_options, chosen_sets
from benchmarks.outcomes import append_outcome, load_outcomes, markdown
from benchmarks.race import WORKSPACE, plan_of, plans_beside, spec_of, train_alone
from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.progress import Silent
from cellwright.results import Result
from cellwright.search.racing import Plan, budget_seconds
from cellwright.spec import SearchSpec
from cellwright.steps.running import run_until
from cellwright.tasks.images.section import ImagesSection

BASE = "as it is"
RECIPES: dict[str, dict[str, Any]] = {
    BASE: {},
    "mixup 0.2, erase 0.3, weight decay 0.2": dict(ImagesSection.many_epochs),
    "mixup 0.2, erase 0.3": {"retrain.mixup": 0.2, "augment.erase": 0.3},
    "mixup 0.4, erase 0.5": {"retrain.mixup": 0.4, "augment.erase": 0.5},
    "mixup 0.2": {"retrain.mixup": 0.2},
    "erase 0.3": {"augment.erase": 0.3},
    "weight decay 0.2": {"retrain.weight_decay": 0.2},
    "half the learning rate": {"retrain.learning_rate": 2e-3},
    "twice the learning rate": {"retrain.learning_rate": 8e-3},
    "not mirrored": {"augment.flip": "none"},
    "rotated by 10 degrees, scaled by 0.1": {"augment.rotate": 10, "augment.scale": 0.1},
}
"""Values of keys of the spec, by name."""
SMALL = ("Fashion-MNIST, 2,000 images", "CIFAR-10, 2,000 images", "digits")
SEEDS = (0, 1, 2)
RESULTS = Path("docs/benchmarks/recipes.jsonl")


class Outcome(Result):
    """A finished cell."""

    data: str
    seconds: float
    seed: int
    recipe: str
    network: str
    steps: int
    epochs: float
    test_accuracy: float
    test_loss: float
    cpu_seconds: float

    @property
    def cell(self) -> tuple[str, float, int, str]:
        return self.data, self.seconds, self.seed, self.recipe


def run_cell(name: str, spec: SearchSpec, plan: Plan, recipe: str) -> Outcome:
    """Train and test with a recipe, on one thread."""
    began = time.process_time()
    network = plan.networks[0]
    data = PreparedData.open(run_until("prepare", spec, WORKSPACE, Silent())["prepare"])
    outputs = train_alone(recipe, spec.tuned(RECIPES[recipe]), data, network, plan.prices.precision).float()
    return Outcome(
        data=name,
        seconds=budget_seconds(spec),
        seed=spec.seed,
        recipe=recipe,
        network=network.name,
        steps=network.steps,
        epochs=network.epochs,
        test_accuracy=(outputs.argmax(dim=1) == data.test.targets).double().mean().item(),
        test_loss=functional.cross_entropy(outputs, data.test.targets).item(),
        cpu_seconds=time.process_time() - began,
    )


def report(outcomes: Sequence[Outcome]) -> str:
    """Return the page."""
    places = sorted({(o.epochs, o.data, o.seconds) for o in outcomes})
    rows = [["recipe", *(f"{data}, {seconds:g} s: {epochs:.0f} epochs" for epochs, data, seconds in places)]]
    rows.append(["---", *("--:" for _ in places)])
    accuracy = {o.cell: 100 * o.test_accuracy for o in outcomes}
    for recipe in RECIPES:
        cells = []
        for _, data, seconds in places:
            of = {seed: accuracy.get((data, seconds, seed, recipe)) for seed in SEEDS}
            base = {seed: accuracy.get((data, seconds, seed, BASE)) for seed in SEEDS}
            pairs = [(a, b) for a, b in zip(of.values(), base.values(), strict=True) if a and b]
            mean = statistics.mean(a if recipe == BASE else a - b for a, b in pairs) if pairs else None
            cells.append(
                "" if mean is None else f"{mean:{'.2f' if recipe == BASE else '+.2f'}} ({len(pairs)})"
            )
        if any(cells):
            rows.append([recipe, *cells])
    return (
        "# What a recipe is worth, by epochs\n\n"
        "Test accuracy in per cent of the recipe of the [races](race.md), and what a change of it gains in points, as\n"
        "a mean over the seeds that both have (their number in brackets). All have the same network, number of\n"
        "steps and CPU seconds of one thread.\n\n"
        f"{markdown(rows)}\n"
        "`python -m benchmarks.recipes` makes this page, and resumes with the cells that are missing.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_data_options(parser, SMALL)
    parser.add_argument("--seconds", type=float, nargs="+", default=(20.0, 45.0))
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--recipes", nargs="+", default=tuple(RECIPES), choices=RECIPES, metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    WORKSPACE.mkdir(parents=True, exist_ok=True)
    cells = itertools.product(given.seeds, given.seconds, chosen_sets(given), given.recipes)
    for seed, seconds, name, recipe in cells:
        source, limit = SETS[name]
        first, spec = (spec_of(source(given), seconds, number, limit) for number in (SEEDS[0], seed))
        plan = plan_of(name, first, plans_beside(given.results))
        if (name, seconds, seed, recipe) not in {o.cell for o in load_outcomes(given.results, Outcome)}:
            append_outcome(given.results, run_cell(name, spec, plan, recipe))
            write_text(given.results.with_suffix(".md"), report(load_outcomes(given.results, Outcome)))


if __name__ == "__main__":
    main()
