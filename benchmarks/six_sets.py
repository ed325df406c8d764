"""A race with its defaults beside fixed hand-designed networks, on six data sets and in two budgets.

A cell is a data set, a budget, a seed and a contender: the race, or a hand-designed network that has all of the
budget, the recipe of the spec and the same number format, and is as wide as a race would make it. One of them is a
ResNet of the usual size. The race may change the recipe; so the first network is trained with that recipe too.
Budgets are CPU seconds of one thread. Plans are measured first, once for all seeds, and stored beside the results; all
else follows from them and the seed, however busy the machine is. A finished cell is a line of the results; a command
that was killed resumes.
"""

import argparse
import itertools
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.image_sets import SETS, add_data_options, chosen_sets
from benchmarks.outcomes import append_outcome, load_outcomes, markdown, mean_and_spread
from benchmarks.race import PlannedCell, plans_beside, train, train_alone
from cellwright.data.prepared import PreparedData
from cellwright.estimators.base import Setting
from cellwright.files import write_text
from cellwright.progress import Silent
from cellwright.results import Result
from cellwright.search.pricing import Prices, Pricing, clock_of
from cellwright.search.racing import (
    NARROWER,
    STARTED,
    PlannedNetwork,
    budget_seconds,
    make_plan,
    size_networks,
)
from cellwright.search.trial import setting_of
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.steps.running import run_until
from cellwright.training.networks import load_network, use_device
from cellwright.training.retraining import predict

BUDGETS = (45.0, 150.0)
SEEDS = (0, 1, 2)
RACE, RESNET = "race", "ResNet-14, 16 channels"
KINDS = 4
"""Kinds of hand-designed networks, the best known first."""
RACES_RECIPE = ", the race's recipe"
WORSE = 0.3
"""Points of accuracy by which a race may be worse than a hand-designed network."""
WORKSPACE = Path("runs/six-sets")
RESULTS = Path("docs/benchmarks/six_sets.jsonl")


class Fixed(PlannedCell):
    """The plan of the races on a data set within a budget, and the hand-designed networks of the same size."""

    networks: tuple[PlannedNetwork, ...]


class Outcome(Result):
    """A finished cell."""

    data: str
    seconds: float
    seed: int
    contender: str
    network: str
    test_accuracy: float
    num_test: int
    steps: int
    cpu_seconds: float
    sentence: str = ""

    @property
    def cell(self) -> tuple[str, float, int, str]:
        return self.data, self.seconds, self.seed, self.contender


def spec_of(name: str, data: Mapping[str, Any], seconds: float, seed: int) -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "six-sets",
            "seed": seed,
            "data": {**data, "limit": SETS[name][1]},
            "space": {"kind": "stages"},
            "budget": {"minutes": seconds / 60},
            "resources": {"cpu": 1},
        }
    )


def plan_of(name: str, spec: SearchSpec, plans: Path) -> Fixed:
    """Return the plans for a data set and a budget, measured and stored if they are not in the file yet."""
    seconds = budget_seconds(spec)
    for stored in load_outcomes(plans, Fixed):
        if (stored.data, stored.seconds) == (name, seconds):
            return stored
    prepared = run_until("prepare", spec, WORKSPACE, Silent())["prepare"]
    with TemporaryDirectory() as folder:
        plan = make_plan(spec, prepared, Path(folder), Silent())
    setting = setting_of(spec, PreparedData.open(prepared), use_device(spec))
    fixed = Fixed(
        data=name,
        seconds=seconds,
        plan=plan,
        networks=tuple(_fixed_networks(spec, setting, plan.prices)),
    )
    append_outcome(plans, fixed)
    return fixed


def _fixed_networks(spec: SearchSpec, setting: Setting, raced: Prices) -> Iterator[PlannedNetwork]:
    """Yield the ResNet as it is, and a network of each of the best kinds as wide as a race would make it.

    Each has all of the budget, at the price that it had for the race, if it was measured.
    """
    space, side = build_space(spec.space), min(setting.task.map_shape[1:])
    resnet = space.hand_designed(side, 1.0)["resnet"]
    designs, narrower = (dict(islice(space.hand_designed(side, f).items(), KINDS)) for f in (1.0, NARROWER))
    pricing = Pricing(setting, math.inf, clock_of(setting.device), raced.precision)
    for genotype in (resnet, *designs.values(), *narrower.values()):
        pricing.measure(genotype)
    prices = pricing.prices()
    prices = prices.model_copy(update={"seconds": {**prices.seconds, **raced.seconds}})
    for networks in ({STARTED: resnet}, designs):
        for network in size_networks(spec, setting, networks, prices, lambda _: True, Silent()):
            steps = int(budget_seconds(spec) / network.step_seconds)
            yield network.model_copy(update={"steps": steps})


def contenders_of(fixed: Fixed) -> list[str]:
    """Return the names of the race and of the hand-designed networks."""
    kinds = [_kind(network) for network in fixed.networks]
    changed = [kinds[1] + RACES_RECIPE] if fixed.networks[1].values else []
    return [RACE, *kinds, *changed]


def run_cell(spec: SearchSpec, fixed: Fixed, seed: int, contender: str) -> Outcome:
    """Train and test a contender on one thread."""
    began = time.process_time()
    if contender == RACE:
        raced = train(spec, fixed.plan, WORKSPACE, Silent())
        data, folder, steps = raced.data, raced.folder, raced.race.steps
        name, sentence = raced.race.leaderboard[0].name, raced.race.sentence
        outputs = predict(load_network(folder), data.test)
    else:
        kind = contender.removesuffix(RACES_RECIPE)
        network = next(n for n in fixed.networks if _kind(n) == kind)
        values = {} if kind == contender else network.values
        data = PreparedData.open(run_until("prepare", spec, WORKSPACE, Silent())["prepare"])
        precision = fixed.plan.prices.precision
        outputs = train_alone(contender, spec.tuned(values), data, network, precision)
        name, steps, sentence = network.name, network.steps, ""
    right = outputs.argmax(dim=1) == data.test.targets
    return Outcome(
        data=fixed.data,
        seconds=fixed.seconds,
        seed=seed,
        contender=contender,
        network=name,
        test_accuracy=right.double().mean().item(),
        num_test=len(right),
        steps=steps,
        cpu_seconds=time.process_time() - began,
        sentence=sentence,
    )


def _kind(network: PlannedNetwork) -> str:
    return RESNET if network.name == STARTED else network.name.partition(" × ")[0]


def report(outcomes: Sequence[Outcome]) -> str:
    """Return the page."""
    contenders = list(dict.fromkeys(o.contender for o in outcomes))
    rows = [["data", "seconds", *contenders]]
    rows.append(["---", "--:", *("--:" for _ in contenders)])
    for data, seconds in itertools.product(SETS, BUDGETS):
        found = [
            [
                100 * o.test_accuracy
                for o in outcomes
                if (o.data, o.seconds, o.contender) == (data, seconds, c)
            ]
            for c in contenders
        ]
        if any(found):
            rows.append([data, f"{seconds:g}", *map(mean_and_spread, found)])
    against = [["against", "cells", "mean difference", "better", f"worse by > {WORSE}"]]
    against.append(["---", "--:", "--:", "--:", "--:"])
    scores = {o.cell: 100 * o.test_accuracy for o in outcomes}
    for contender in contenders:
        if contender == RACE:
            continue
        gains = [
            scores[*cell[:3], RACE] - score
            for cell, score in scores.items()
            if cell[3] == contender and (*cell[:3], RACE) in scores
        ]
        if gains:
            share = partial(_share, gains)
            against.append(
                [
                    contender,
                    str(len(gains)),
                    f"{statistics.mean(gains):+.2f}",
                    share(lambda gain: gain > 0),
                    share(lambda gain: gain < -WORSE),
                ]
            )
    return (
        "# A race beside fixed hand-designed networks, on six data sets\n\n"
        f"{len(outcomes)} cells are done. All have the defaults of the spec, the same CPU seconds of one thread and\n"
        "the same number format. Hand-designed networks have all of the time, and the width that a race would give\n"
        f"them; {RESNET}, is as it is. A race may change the recipe, so the first network is\n"
        "shown with the recipe that it has in the race too, where that is another. Test accuracy in per cent, mean ±\n"
        "standard deviation over seeds, the number of seeds in brackets.\n\n"
        f"{markdown(rows)}\nThe race less the other, in points, cell by cell:\n\n{markdown(against)}\n"
        "`python -m benchmarks.six_sets` makes this page, and resumes with the cells that are missing.\n"
    )


def _share(gains: Sequence[float], is_so: Callable[[float], bool]) -> str:
    return f"{sum(map(is_so, gains)) / len(gains):.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_data_options(parser, SETS)
    parser.add_argument("--seconds", type=float, nargs="+", default=BUDGETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument(
        "--plans", action="store_true", help="only measure prices, for which the machine must be idle"
    )
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help="only these, such as race")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    WORKSPACE.mkdir(parents=True, exist_ok=True)
    plans = plans_beside(given.results)
    for seed, seconds, name in itertools.product(given.seeds, given.seconds, chosen_sets(given)):
        source = SETS[name][0](given)
        spec = spec_of(name, source, seconds, seed)
        fixed = plan_of(name, spec_of(name, source, seconds, SEEDS[0]), plans)
        for contender in () if given.plans else contenders_of(fixed):
            if given.contenders and contender not in given.contenders:
                continue
            if (name, seconds, seed, contender) not in {
                o.cell for o in load_outcomes(given.results, Outcome)
            }:
                append_outcome(given.results, run_cell(spec, fixed, seed, contender))
                write_text(given.results.with_suffix(".md"), report(load_outcomes(given.results, Outcome)))


if __name__ == "__main__":
    main()
