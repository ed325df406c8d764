"""An elastic search, from the spec to the networks of its targets: a plan, one training, and an evolution of parts."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from statistics import fmean, median
from typing import Literal

import torch
from torch import nn

from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError, DivergedError
from cellwright.estimators.base import Setting
from cellwright.estimators.latency.estimator import Latency, measure_in_turns, parts_of
from cellwright.estimators.latency.section import LatencySection
from cellwright.files import write_text
from cellwright.genotype import Genotype, GenotypeLine
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Progress, Silent
from cellwright.results import PARTS, ElasticResult, EpochRecord, Result, SearchResult, TargetedNetwork
from cellwright.search.pricing import FORWARD, SHARE, Prices, Pricing, clock_of
from cellwright.search.racing import (
    FACTORS,
    NARROWER,
    available,
    best_factor,
    budget_seconds,
    price_of,
    sized_name,
)
from cellwright.search.slices import NUM_SELECTION
from cellwright.search.trial import setting_of
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network, trace_genotype
from cellwright.spaces.stages.cutting import Cutter
from cellwright.spaces.stages.parts import Parts
from cellwright.spaces.stages.space import Stages
from cellwright.spec import SearchSpec
from cellwright.strategies.one_shot.elastic.evolution import Evolution
from cellwright.strategies.one_shot.elastic.section import ElasticSection, Targets
from cellwright.strategies.one_shot.elastic.standalone import CALIBRATION, calibration_batches, standalone
from cellwright.strategies.one_shot.elastic.training import ElasticTraining
from cellwright.training.checkpoint import CHECKPOINT, prefixed, save_tensors
from cellwright.training.course import Course
from cellwright.training.networks import genotype_network, use_device
from cellwright.training.precision import channels_last
from cellwright.training.retraining import predict
from cellwright.training.stopped_network import save_stopped_network
from cellwright.training.stopping import on_sigterm

SEARCHING = 0.1
"""Largest share of the budget that scoring parts may take."""
PRICED_PARTS = 2
"""Random parts whose step is measured, beside the smallest one."""
AVERAGED_PARTS = 16
"""Random parts whose mean price is that of a random part."""
ROUNDS = 5
"""In which latencies are measured."""
SCORES = "scores.json"
"""The losses and scores of parts so far, in the folder of the search."""
Cost = Callable[[Genotype], float]


class ElasticPlan(Result):
    """`elastic_plan.json`: what an elastic search will do; all that follows depends on this and never on the clock."""

    FILE = "elastic_plan.json"

    seconds: float
    """The budget, less what measurements took of it."""
    prices: Prices
    name: str
    """Of the largest network."""
    largest: GenotypeLine
    steps: int
    """Of the whole training."""
    alone: int
    """Steps in which the largest network is trained alone."""
    step_seconds: float
    sandwich_seconds: float
    """Of a step that trains parts too."""
    epochs: float
    evaluations: int
    """Parts that are scored for each target."""

    @property
    def course(self) -> Course:
        """Return the schedule, which decays from where the parts join."""
        return Course(steps=self.steps, cool_down=self.alone, precision=self.prices.precision)

    def seconds_left(self, step: int) -> float:
        """Return the training time that is left after so many steps."""
        left = max(0, self.alone - step)
        return left * self.step_seconds + (self.steps - step - left) * self.sandwich_seconds


def elastic_search(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> SearchResult:
    """Train an elastic network, cut one network for each target, and leave their weights in the folder.

    Args:
        spec: with the strategy elastic.
        data: the folder of prepared data.
        folder: where the plan, the checkpoint and the scores are; a search that was killed resumes there.
        progress: receives the plan, and reports of the training and of the parts that are scored.

    Raises:
        CellwrightError: no network of the space keeps a target.
        DivergedError: the training diverged.
    """
    section = spec.strategy
    assert isinstance(section, ElasticSection)
    prepared = PreparedData.open(data)
    setting = setting_of(spec, prepared, use_device(spec))
    if not (folder / ElasticPlan.FILE).exists():
        make_plan(spec, setting, folder, progress).save(folder / ElasticPlan.FILE)
    plan = ElasticPlan.load(folder / ElasticPlan.FILE)
    parts = Parts(_space(spec), plan.largest)
    for line in _announce(plan, section.targets):
        progress.log(line)
    training = _train(spec, plan, parts, setting, prepared, folder, progress)
    scored = _Scored(training, setting, parts, folder / SCORES, progress)
    scored.expected = 1 + plan.evaluations * len(section.targets.limits)
    cost = _cost(section.targets, setting, parts, folder, progress)
    evolution = Evolution(parts, cost, scored.loss, seed=derive_seed(spec.seed, "elastic"))
    found = {
        limit: evolution.best(limit, plan.evaluations)
        for limit in sorted(section.targets.limits, reverse=True)
    }
    names = ["found", *(f"{section.targets.metric}-{limit:g}" for limit in section.targets.limits[1:])]
    networks = tuple(
        TargetedNetwork(
            name=name,
            limit=limit,
            cost=cost(found[limit]),
            genotype=found[limit],
            loss=scored.loss(found[limit]),
            score=scored.score(found[limit]),
        )
        for name, limit in zip(names, section.targets.limits, strict=True)
    )
    weights = {one.name: scored.network(one.genotype).state_dict() for one in networks}
    save_tensors(
        folder / PARTS, {k: v for name, state in weights.items() for k, v in prefixed(name, state).items()}
    )
    return SearchResult(
        genotype=networks[0].genotype,
        score=networks[0].score,
        seconds=training.seconds,
        history=tuple(training.history),
        elastic=ElasticResult(
            metric=section.targets.metric,
            name=plan.name,
            largest=plan.largest,
            steps=plan.steps,
            alone=plan.alone,
            precision="bfloat16" if plan.prices.precision == "bfloat16" else "float32",
            num_scored=len(evolution.losses),
            num_examples=len(scored.selection),
            networks=networks,
        ),
    )


def make_plan(spec: SearchSpec, setting: Setting, folder: Path, progress: Progress) -> ElasticPlan:
    """Choose the largest network, measure prices, and divide the budget.

    Args:
        spec: with the strategy elastic.
        setting: task, data and settings of the training.
        folder: where the table of latencies is left.
        progress: receives reports of measurements.

    Raises:
        CellwrightError: no network of the space keeps a target.
    """
    section = spec.strategy
    assert isinstance(section, ElasticSection)
    seconds, space, clock = budget_seconds(spec), _space(spec), clock_of(setting.device)
    began = clock()
    name, widths = _within(space, section.targets, setting, progress)
    side = min(setting.task.map_shape[1:])
    design = space.hand_designed(side, 1.0)[name]
    pricing = Pricing(setting, SHARE * seconds, clock)
    pricing.choose_precision(design)
    for genotype in (design, space.hand_designed(side, NARROWER)[name]):
        pricing.measure(genotype)
    batch_size = min(spec.retrain.batch_size, len(setting.train))
    per_epoch = len(setting.train) // batch_size
    price = partial(price_of, prices=pricing.prices(), like=design, setting=setting)
    prices_of_widths = {factor: price(genotype) for factor, genotype in widths.items()}
    factor = best_factor(prices_of_widths, price(design), available(spec), per_epoch)
    parts = Parts(space, widths[factor])
    step, sandwich = _prices_of_steps(section, parts, pricing, setting)
    cost = _cost(section.targets, setting, parts, folder, progress)
    smallest = cost(parts.smallest())
    if smallest > min(section.targets.limits):
        raise CellwrightError(
            f"strategy.targets: {section.targets.metric} must be at least {smallest:.6g}, that of the smallest part of "
            f"{name} × {factor:g}, got {min(section.targets.limits):g}"
        )
    left = seconds - min(clock() - began, 0.5 * seconds)
    examples = min(NUM_SELECTION, len(setting.validation)) + min(CALIBRATION, len(setting.train))
    check = FORWARD * step * examples / batch_size
    evaluations = int(SEARCHING * left / check / len(section.targets.limits))
    evaluations = max(4, min(section.evaluations, evaluations))
    training = left - evaluations * len(section.targets.limits) * check
    alone = max(1, int(section.alone * training / step))
    together = max(1, int((1 - section.alone) * training / sandwich))
    return ElasticPlan(
        seconds=left,
        prices=pricing.prices(),
        name=sized_name(name, factor),
        largest=widths[factor],
        steps=alone + together,
        alone=alone,
        step_seconds=step,
        sandwich_seconds=sandwich,
        epochs=(alone + together) / per_epoch,
        evaluations=evaluations,
    )


def _space(spec: SearchSpec) -> Stages:
    space = build_space(spec.space)
    assert isinstance(space, Stages)
    return space


def _within(
    space: Stages, targets: Targets, setting: Setting, progress: Progress
) -> tuple[str, dict[float, Genotype]]:
    """Return the first hand-designed network that keeps the largest target at some width, at all such widths."""
    side = min(setting.task.map_shape[1:])
    for name in space.hand_designed(side, 1.0):
        widths = {factor: space.hand_designed(side, factor)[name] for factor in FACTORS}
        if targets.metric == "latency_ms":
            with seeded_initialisation(0):
                networks = [
                    channels_last(build_network(setting.final_space, setting.task, g).to(setting.device))
                    for g in widths.values()
                ]
            times_NR = measure_in_turns(networks, setting.task.example(1), rounds=ROUNDS, progress=Silent())
            costs = [median(row) for row in times_NR.tolist()]
        else:
            costs = [_traced(targets.metric, setting, genotype) for genotype in widths.values()]
        within = {
            factor: genotype
            for (factor, genotype), cost in zip(widths.items(), costs, strict=True)
            if cost <= max(targets.limits)
        }
        if within:
            return name, within
        progress.log(f"elastic: {name} keeps the largest target at no width")
    raise CellwrightError(
        "strategy.targets: the largest one must be kept by a hand-designed network at some width"
    )


def _traced(metric: Literal["params", "macs"], setting: Setting, genotype: Genotype) -> float:
    cost = trace_genotype(setting.final_space, setting.task, genotype)
    return float(cost.params if metric == "params" else cost.macs)


def _cost(targets: Targets, setting: Setting, parts: Parts, folder: Path, progress: Progress) -> Cost:
    """Return the cost of parts that is compared with targets; a latency includes the usual error of its table."""
    metric = targets.metric
    if metric != "latency_ms":
        return cache(lambda genotype: _traced(metric, setting, genotype))
    within = replace(setting, space=parts.section, final_space=parts.section)
    latency = Latency(LatencySection(kind="latency", rounds=ROUNDS), within, seed=0)
    latency.prepare(folder, progress)
    parts_named = partial(parts_of, latency.space)
    return cache(
        lambda genotype: (1 + latency.table.error) * latency.table.predict(list(parts_named(genotype)))
    )


def _prices_of_steps(
    section: ElasticSection, parts: Parts, pricing: Pricing, setting: Setting
) -> tuple[float, float]:
    """Return the seconds of a step of the largest network, and of a step with parts."""
    rng = random.Random(0)
    drawn = [parts.draw(rng) for _ in range(AVERAGED_PARTS)]
    for genotype in (parts.largest, parts.smallest(), *drawn[:PRICED_PARTS]):
        pricing.measure(genotype)
    prices = pricing.prices()

    def price(genotype: Genotype) -> float:
        return price_of(genotype, prices=prices, like=parts.largest, setting=setting)

    alone = price(parts.largest)
    return alone, alone + price(parts.smallest()) + section.drawn * fmean(map(price, drawn))


def _announce(plan: ElasticPlan, targets: Targets) -> Iterator[str]:
    """Yield the plan in words."""
    ends = datetime.now() + timedelta(seconds=plan.seconds)
    yield (
        f"elastic: {plan.seconds / 60:.3g} minutes in {plan.prices.precision}, to about {ends:%H:%M} from a new start; "
        "steps cost what was measured before"
    )
    yield (
        f"elastic: {plan.name} is the largest network: {plan.epochs:.3g} epochs, {plan.alone} steps alone at "
        f"{1e3 * plan.step_seconds:.3g} ms, and {plan.steps - plan.alone} with parts at "
        f"{1e3 * plan.sandwich_seconds:.3g} ms"
    )
    limits = ", ".join(f"{limit:g}" for limit in targets.limits)
    yield f"elastic: {plan.evaluations} parts are scored for each target, {targets.metric} {limits}"


def _train(
    spec: SearchSpec,
    plan: ElasticPlan,
    parts: Parts,
    setting: Setting,
    data: PreparedData,
    folder: Path,
    progress: Progress,
) -> ElasticTraining:
    """Return the finished training, resumed from the folder's checkpoint if it exists."""
    assert isinstance(spec.strategy, ElasticSection)
    config = genotype_network(spec, data.manifest, plan.largest)
    training = ElasticTraining(
        spec.strategy,
        parts,
        plan.alone,
        config.build(seed=derive_seed(spec.seed, "initial weights")).to(setting.device),
        setting.train,
        spec.retrain,
        spec.augment,
        task=setting.task,
        seed=derive_seed(spec.seed, "retrain"),
        checkpoint=folder / CHECKPOINT,
        course=plan.course,
    )

    def show(record: EpochRecord) -> None:
        left = {"minutes_left": plan.seconds_left(training.steps) / 60}
        progress.advance("elastic", training.steps, plan.steps, record.metrics | left)

    try:
        with on_sigterm(lambda: save_stopped_network(training.averaged(), config, data, folder, progress)):
            training.train_to(plan.steps, show)
    except DivergedError as error:
        raise DivergedError(f"elastic: {error}") from None
    return training


class _Scored:
    """Parts with their own statistics of norms on the validation split; a file keeps what is known.

    Args:
        training: the finished training, whose averaged weights count.
        setting: the data.
        parts: the parts of its network.
        path: the file.
        progress: told of each part.
    """

    expected: int
    """Parts that will be scored, for the progress."""

    def __init__(
        self, training: ElasticTraining, setting: Setting, parts: Parts, path: Path, progress: Progress
    ) -> None:
        averaged = training.averaged()
        self.tensors = dict(averaged.named_parameters()) | dict(averaged.named_buffers())
        self.task = setting.task
        self.cutter = Cutter(setting.task, parts.largest)
        self.calibration = calibration_batches(setting.train)
        self.selection = setting.validation.sample(NUM_SELECTION, seed=0)
        self.path = path
        self.progress = progress
        self.known: dict[str, tuple[float, float]] = json.loads(path.read_text()) if path.exists() else {}

    def network(self, part: Genotype) -> nn.Module:
        """Return the part as a network of its own."""
        with torch.no_grad():
            return standalone(self.task, self.cutter, part, self.tensors, self.calibration)

    def loss(self, part: Genotype) -> float:
        """Return the mean validation loss of a part."""
        return self._of(part)[0]

    def score(self, part: Genotype) -> float:
        """Return the task's objective of a part on the validation split."""
        return self._of(part)[1]

    def _of(self, part: Genotype) -> tuple[float, float]:
        line = part.to_line()
        if line not in self.known:
            outputs, targets = predict(self.network(part), self.selection).float(), self.selection.targets
            self.known[line] = self.task.loss(outputs, targets).item(), self.task.score(outputs, targets)
            write_text(self.path, json.dumps(self.known))
            done = len(self.known)
            self.progress.advance("parts", done, max(done, self.expected), {"loss": self.known[line][0]})
        loss, score = self.known[line]
        return loss, score
