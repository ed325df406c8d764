"""A race, from the spec to the winner's checkpoint: prices, a plan, slices of training, and the choice."""

import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any

import torch

from cellwright.candidate import Candidate
from cellwright.canonical import digest
from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError
from cellwright.estimators.base import Setting, build_estimator
from cellwright.evaluation import Evaluation, Suggestion, build_objectives
from cellwright.files import atomic_path
from cellwright.genotype import Genotype, GenotypeLine
from cellwright.progress import PLANNED, Progress, Update
from cellwright.results import RacedNetwork, RaceResult, Result, SearchResult
from cellwright.runners import SLICE, START, Key, Runner, runner_class
from cellwright.search.exploring import Exploration
from cellwright.search.in_this_process import InThisProcess
from cellwright.search.journal import history_of
from cellwright.search.pricing import FORWARD, SHARE, Prices, Pricing, clock_of, features_of
from cellwright.search.screening import Screen
from cellwright.search.slices import NUM_SELECTION, Slice, selected
from cellwright.search.trial import TrialRequest, setting_of, trials_of
from cellwright.search.warm_start import registered_weights, start_model, unseen_rows
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.strategies.sampled.curves import SHORTEST
from cellwright.strategies.sampled.race import GROWTH, Entrant, Race, RaceSection, Standing, entrants_of
from cellwright.training.course import WINNER, Course
from cellwright.training.networks import genotype_network, start_course, use_device
from cellwright.training.stopped_network import STOPPED, save_stopped_network
from cellwright.training.stopping import on_sigterm

DEFAULT_SECONDS = 600.0
FACTORS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
"""By which hand-designed networks may be wider than they were designed."""
NARROWER = 0.5
"""The factor at which each is measured too, as far as the time for that lasts: two sizes show what width costs."""
USUAL_EPOCHS, USUAL_STEPS = 12, 2000
"""Training at which networks as they were designed are of the right size, by the larger of the two. With more time,
width and epochs both grow."""
MANY_EPOCHS = 25
"""From which on a network is trained with the task's values for that; docs/benchmarks/recipes.md has their worth."""
FEWEST_STEPS = 100
"""After which averaged weights, and their norms' statistics, are worth a score."""
MOST_ON_LOSERS = 0.1
"""Largest share of the budget that losers may have had by the first decision: until then it is not known how steep the
winner's curve is. With fewer networks it is less."""
STARTED = "the model of start.model"
"""Names the network that the spec starts from; its width stays as it is."""
FEWEST_UNSEEN = 50
"""Validation examples that weights must not have seen for their network to be compared with others."""
KEPT = "slices"
"""The folder, in that of the search, of the checkpoints that slices left."""


class PlannedNetwork(Result):
    """One network of a plan."""

    name: str
    genotype: GenotypeLine
    values: dict[str, Any] = {}
    """Values of hyperparameters that differ from the spec's."""
    step_seconds: float
    check_seconds: float
    """What scoring its averaged weights costs."""
    steps: int
    """That the whole budget is enough for."""
    epochs: float

    @property
    def candidate(self) -> Candidate:
        """Return the network and its hyperparameters."""
        return Candidate(genotype=self.genotype, values=self.values)


class Plan(Result):
    """`plan.json`: what a race will do; all that follows depends on this and never on the clock."""

    FILE = "plan.json"

    seconds: float
    """The budget, less what measuring prices took of it."""
    prices: Prices
    first_share: float
    """Of the budget, that each network has had when it is first scored."""
    networks: tuple[PlannedNetwork, ...]
    """Those that start, the best known one first."""
    rows: tuple[int, ...] | None = None
    """The validation examples that networks are scored on, where one has weights that have seen others; None for a
    sample of all."""

    def network(self, candidate: Candidate) -> PlannedNetwork:
        """Return the network of a candidate."""
        return next(n for n in self.networks if n.candidate == candidate)

    def course(self, network: PlannedNetwork) -> Course:
        """Return the schedule of a network until the choice: it does not decay."""
        return Course(steps=network.steps, cool_down=network.steps, precision=self.prices.precision)

    def steps(self, candidate: Candidate, share: float, checks: int) -> int:
        """Return the steps that a share of the budget is enough for, with so many checks."""
        network = self.network(candidate)
        left = share * self.seconds - checks * network.check_seconds
        return max(1, min(network.steps, int(left / network.step_seconds)))


def race_search(
    spec: SearchSpec,
    data: Path,
    folder: Path,
    progress: Progress,
) -> SearchResult:
    """Race the hand-designed networks of the space, and leave the winner's checkpoint in the folder.

    Args:
        spec: with a race as its strategy.
        data: the folder of prepared data.
        folder: where the plan, the journal and the checkpoints are; a race that was killed resumes there.
        progress: told the plan, and of each slice.

    Raises:
        CellwrightError: the space knows no hand-designed networks, none keeps the constraints, or none could be
            trained.
    """
    assert isinstance(spec.strategy, RaceSection)
    if not (folder / Plan.FILE).exists():
        make_plan(spec, data, folder, progress).save(folder / Plan.FILE)
    plan = Plan.load(folder / Plan.FILE)
    objectives = build_objectives(spec.objectives)
    entrants = entrants_of((network.name, network.candidate) for network in plan.networks)
    race = Race(spec.strategy, entrants, objectives, first=plan.first_share)
    for line in _announce(plan, race):
        progress.log(line)
    for network in plan.networks:
        facts = {"ms_per_step": 1e3 * network.step_seconds, "epochs_of_whole_budget": network.epochs}
        progress.update(Update("trial", network.name, PLANNED, facts))
    (folder / KEPT).mkdir(exist_ok=True)
    setting = setting_of(spec, PreparedData.open(data), use_device(spec))
    racing = _Racing(
        spec,
        race,
        Screen((), spec, setting),
        runner=_runner(spec, data, folder, progress),
        data=data,
        folder=folder,
        progress=progress,
    )
    racing.plan = plan
    if spec.start.model and _has_weights(spec, plan):
        racing.take_weights(spec.start.model, setting)
    try:
        with on_sigterm(partial(racing.save_leader, setting)):
            racing.explore()
    finally:
        racing.close()
    now = race.standing()
    if now.rounds and not any(e.state == "done" for e in racing.done):
        raise CellwrightError("race: no network could be trained")
    result = _result(plan, race, now, len(selected(setting.validation, plan.rows)))
    if (kept := racing.checkpoint_of(now.leader.candidate)).exists():
        with atomic_path(folder / WINNER) as temporary:
            shutil.copyfile(kept, temporary)
    for used in (KEPT, STOPPED):
        shutil.rmtree(folder / used, ignore_errors=True)
    return SearchResult(
        genotype=now.leader.candidate.genotype,
        tuned=dict(now.leader.candidate.values),
        score=result.leaderboard[0].score,
        seconds=racing.seconds,
        history=history_of(racing.done, objectives[0]),
        events=(result.sentence, *_worth(spec, plan, race, now)),
        race=result,
    )


def _runner(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> Runner:
    """Return the spec's runner, or one without processes where slices on this machine need none of their own."""
    limits = {name: limit for name, limit in spec.runner.limits.items() if name != "parallel"}
    if spec.runner.is_remote or spec.runner.parallel > 1 or any(limits.values()):
        return runner_class(spec.runner).of(spec, trials_of(spec, data, folder, progress))
    return InThisProcess()


class _Racing(Exploration):
    """The loop of a race: each slice of a network resumes from the checkpoint of the one before."""

    plan: Plan
    strategy: Race
    _dropped: Mapping[str, int] = MappingProxyType({})
    """Who was dropped, as far as it was shown."""

    def explore(self) -> None:
        """Train slices until the race is over."""
        while True:
            self._learn(self._trials.make_room())
            if suggestions := self.strategy.suggest(1):
                self._begin(suggestions[0].running)
            elif self._trials.is_empty:
                return
            else:
                self._learn(self._trials.drain())

    def checkpoint_of(self, candidate: Candidate) -> Path:
        """Return where the network's latest checkpoint is kept."""
        return self.folder / KEPT / f"{digest(candidate.line)[:16]}.safetensors"

    def take_weights(self, model: str, setting: Setting) -> None:
        """Keep the weights of `start.model` as the checkpoint that its network's first slice resumes from."""
        network = next((network for network in self.plan.networks if network.name == STARTED), None)
        if network is None:
            return
        checkpoint = self.checkpoint_of(network.candidate)
        if checkpoint.exists():
            return
        start = registered_weights(self.spec, model)
        training = start_course(
            self.spec.tuned(network.values),
            genotype_network(self.spec, PreparedData.open(self.data).manifest, network.genotype),
            setting.train,
            self.plan.course(network),
            checkpoint,
            start=start,
        )
        training.save()
        self.progress.log(f"race: {STARTED} starts with the weights of {start.source}")

    def save_leader(self, setting: Setting) -> None:
        """Export the averaged weights of the network that leads, as of its last slice."""
        leader = self.strategy.standing().leader.candidate
        network = self.plan.network(leader)
        slices = [trial / SLICE for trial in self.folder.glob("trial-*")]
        for checkpoint in (self.checkpoint_of(leader), *slices):
            if not checkpoint.exists():
                continue
            course = self.plan.course(network).model_copy(update={"precision": "float32"})
            data = PreparedData.open(self.data)
            config = genotype_network(self.spec, data.manifest, leader.genotype)
            with suppress(RuntimeError):  # of another network
                spec = self.spec.tuned(network.values)
                training = start_course(spec, config, setting.train, course, checkpoint)
                save_stopped_network(training.averaged(), config, data, self.folder, self.progress)
                return
        self.progress.log("stopped before anything was trained; the same command resumes")

    def request(self, evaluation: Evaluation, earlier: tuple[Evaluation, ...], folder: Path) -> TrialRequest:
        """Return the request of a slice, and put the checkpoint that it resumes from into its folder."""
        share, candidate = evaluation.fidelity.epochs, evaluation.candidate
        kept = self.checkpoint_of(candidate)
        if kept.exists() and not (folder / START).exists():
            with atomic_path(folder / START) as temporary:
                shutil.copyfile(kept, temporary)
        network = self.plan.network(candidate)
        course = self.plan.course(network)
        steps = self.plan.steps(candidate, share, self.strategy.round_of(share))
        request = super().request(evaluation, (), folder)
        return request.model_copy(update={"slice": Slice(course=course, steps=steps, rows=self.plan.rows)})

    def keep(self, evaluation: Evaluation, folder: Path) -> None:
        """Keep the checkpoint for the network's next slice."""
        if (folder / SLICE).exists():
            os.replace(folder / SLICE, self.checkpoint_of(evaluation.candidate))

    def name(self, evaluation: Evaluation) -> str:
        """Return the name of the network."""
        return self.plan.network(evaluation.candidate).name

    def show(self, evaluation: Evaluation) -> None:
        """Show the share of the budget that is spent, and the time that is left with the final training."""
        shares: dict[Candidate, float] = {}
        for slice in (*self.done, evaluation):
            shares[slice.candidate] = max(shares.get(slice.candidate, 0.0), slice.fidelity.epochs)
        spent = sum(shares.values())
        left = (1 - spent) * self.plan.seconds / 60
        self.progress.advance("race", round(100 * spent), 100, {"minutes_left": left})

    def _learn(self, ended: Iterable[tuple[Key, Evaluation]]) -> None:
        super()._learn(ended)
        standing = self.strategy.standing()
        dropped = standing.dropped
        for name in dropped.keys() - self._dropped.keys():
            self.progress.update(Update("trial", name, "dropped"))
        self._dropped = dropped
        if standing.is_over:
            self.progress.update(Update("trial", standing.leader.name, "won"))


def make_plan(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> Plan:
    """Measure prices and size the networks; the arguments are those of `race_search`."""
    section = spec.strategy
    assert isinstance(section, RaceSection)
    setting = setting_of(spec, PreparedData.open(data), use_device(spec))
    space, side = build_space(spec.space), min(setting.task.map_shape[1:])
    designs = space.hand_designed(side, 1.0)
    if (started := start_model(spec, space)) is not None:
        designs = {STARTED: started, **({} if spec.start.only else designs)}
    if not designs:
        raise CellwrightError(
            f"strategy.kind race needs a space that knows hand-designed networks, such as stages, got {space.name}"
        )
    fits = _Limits(spec, setting, folder, progress)
    pricing = Pricing(setting, SHARE * budget_seconds(spec), clock_of(setting.device))
    pricing.choose_precision(next(iter(designs.values())))
    narrower = space.hand_designed(side, NARROWER)
    for name, design in islice(designs.items(), section.entrants):
        pricing.measure(design)
        if name != STARTED:
            pricing.measure(narrower[name])
    planned: list[PlannedNetwork] = []
    for network in size_networks(spec, setting, designs, pricing.prices(), fits, progress):
        planned.append(network)
        if len(planned) == section.entrants or planned[0].epochs < section.fewest_epochs:
            break
    if not planned:
        raise CellwrightError("constraints must be kept by a hand-designed network at some width; none does")
    if planned[0].epochs < section.fewest_epochs:
        planned = planned[:1]
    networks, share = planned[:1], _first_share(section, planned[:1], available(spec))
    for network in planned[1:]:
        if (more := _first_share(section, [*networks, network], available(spec))) is not None:
            networks, share = [*networks, network], more
    assert share is not None
    return Plan(
        seconds=available(spec),
        prices=pricing.prices(),
        first_share=share,
        networks=tuple(networks),
        rows=_unseen(spec, setting, progress) if planned[0].name == STARTED else None,
    )


def budget_seconds(spec: SearchSpec) -> float:
    """Return the budget of search and final training together."""
    return spec.budget.seconds or DEFAULT_SECONDS


def available(spec: SearchSpec) -> float:
    """Return the part of the budget that is for training."""
    return (1 - SHARE) * budget_seconds(spec)


def size_networks(
    spec: SearchSpec,
    setting: Setting,
    designs: Mapping[str, Genotype],
    prices: Prices,
    fits: Callable[[Genotype], bool],
    progress: Progress,
) -> Iterator[PlannedNetwork]:
    """Yield networks, each at the width whose number of training steps is where such networks do best.

    Args:
        spec: with the budget.
        setting: the data that they are trained on.
        designs: networks as they were designed, by name. That of the name `STARTED` keeps its width.
        prices: of training steps.
        fits: whether a genotype keeps the constraints.
        progress: told of each network that keeps them at no width.
    """
    space, side = build_space(spec.space), min(setting.task.map_shape[1:])
    batch_size = min(spec.retrain.batch_size, len(setting.train))
    per_epoch = (len(setting.train) + len(setting.validation)) // batch_size
    checks = FORWARD * min(NUM_SELECTION, len(setting.validation)) / batch_size
    seconds = available(spec)
    adapts = isinstance(spec.strategy, RaceSection) and spec.strategy.recipe == "auto"
    suited = setting.task.suited(setting.train, setting.validation) if adapts else {}
    for name, design in designs.items():
        price = partial(price_of, prices=prices, like=design, setting=setting)
        widths = (
            {1.0: design}
            if name == STARTED
            else {factor: space.hand_designed(side, factor)[name] for factor in FACTORS}
        )
        is_another = {f: name == STARTED or g != designs.get(STARTED) for f, g in widths.items()}
        possible = {f: genotype for f, genotype in widths.items() if is_another[f] and fits(genotype)}
        if not possible:
            progress.log(f"race: {name} keeps the constraints at no width")
            continue
        prices_of_widths = {f: price(genotype) for f, genotype in possible.items()}
        factor = best_factor(prices_of_widths, price(design), seconds, per_epoch)
        step = prices_of_widths[factor]
        yield PlannedNetwork(
            name=sized_name(name, factor),
            genotype=possible[factor],
            values=_recipe(spec, suited, seconds / step / per_epoch),
            step_seconds=step,
            check_seconds=checks * step,
            steps=max(1, int(seconds / step)),
            epochs=seconds / step / per_epoch,
        )


def _recipe(spec: SearchSpec, suited: Mapping[str, Any], epochs: float) -> dict[str, Any]:
    """Return values that suit the data and the number of epochs, where the spec has hyperparameters' defaults."""
    assert isinstance(spec.strategy, RaceSection)
    if spec.strategy.recipe == "given":
        return {}
    values = {**suited, **(spec.augment.many_epochs if epochs >= MANY_EPOCHS else {})}
    return {key: value for key, value in values.items() if spec.has_default(key)}


def _unseen(spec: SearchSpec, setting: Setting, progress: Progress) -> tuple[int, ...] | None:
    """Return the validation examples to compare on if the started network has its weights; None where it has not."""
    if spec.start.model is None or not spec.start.weights or spec.start.only:
        return None
    rows = unseen_rows(spec, spec.start.model, setting.validation)
    if rows is None or len(rows) < FEWEST_UNSEEN:
        known = "an unknown number" if rows is None else f"{len(setting.validation) - len(rows)}"
        progress.log(
            f"race: {STARTED} starts without its weights, which have seen {known} of {len(setting.validation)} "
            f"validation examples: {FEWEST_UNSEEN} new ones are needed to compare"
        )
        return None
    drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:NUM_SELECTION]
    return tuple(rows[drawn].tolist())


def _has_weights(spec: SearchSpec, plan: Plan) -> bool:
    """Return whether the network of `start.model` has its weights."""
    return spec.start.weights and (spec.start.only or plan.rows is not None)


def _first_share(section: RaceSection, networks: Sequence[PlannedNetwork], seconds: float) -> float | None:
    """Return the share of the budget that each needs before its score is worth something; None if that is too much."""
    longest = max(network.step_seconds for network in networks)
    share = max(section.first_slice, FEWEST_STEPS * longest / seconds)
    on_losers = (len(networks) - 1) * share * GROWTH ** (SHORTEST - 1)
    return min(1.0, share) if on_losers <= MOST_ON_LOSERS else None


class _Limits:
    """Whether a genotype keeps the spec's constraints."""

    def __init__(self, spec: SearchSpec, setting: Setting, folder: Path, progress: Progress) -> None:
        seed = derive_seed(spec.seed, "estimators")
        cheap = [section for section in spec.estimators if section is not spec.trial_estimator]
        chain = [(build_estimator(section, setting, seed=seed), 1.0) for section in cheap]
        for estimator, _ in chain:
            estimator.prepare(folder, progress)
        self.screen = Screen(chain, spec, setting)

    def __call__(self, genotype: Genotype) -> bool:
        if not self.screen.limits:
            return True
        evaluation = Suggestion(number=0, candidate=Candidate(genotype=genotype)).running
        return self.screen.look_at(evaluation, (), seed=0).state == "running"


def best_factor(prices: Mapping[float, float], designed: float, seconds: float, per_epoch: float) -> float:
    """Return the factor with the number of steps nearest to where such networks do best.

    Args:
        prices: of a step, by factor.
        designed: price of a step of the network as it was designed.
        seconds: the training time.
        per_epoch: steps of an epoch.
    """
    usual = (USUAL_EPOCHS * max(USUAL_EPOCHS, USUAL_STEPS / per_epoch)) ** 0.5 * per_epoch
    wanted = (usual * seconds / designed) ** 0.5
    return min(prices, key=lambda factor: abs(math.log(seconds / prices[factor] / wanted)))


def sized_name(name: str, factor: float) -> str:
    """Return the name of a hand-designed network whose widths are multiplied by the factor."""
    return name if factor == 1 else f"{name} × {factor:g}"


def price_of(genotype: Genotype, *, prices: Prices, like: Genotype, setting: Setting) -> float:
    """Return the measured seconds of a step, or the estimate, corrected by its error for a similar network."""
    if (known := prices.seconds.get(genotype.to_line())) is not None:
        return known
    estimate = prices.estimate(features_of(genotype, setting))
    measured = prices.seconds.get(like.to_line())
    return estimate if measured is None else estimate * measured / prices.estimate(features_of(like, setting))


def _announce(plan: Plan, race: Race) -> Iterator[str]:
    """Yield the plan in words: what will be tried, how long it takes, and when it ends."""
    ends = datetime.now() + timedelta(seconds=plan.seconds)
    yield (
        f"race: {plan.seconds / 60:.3g} minutes of training in {plan.prices.precision}, to about {ends:%H:%M} from a "
        "new start; steps cost what was measured before"
    )
    for network in plan.networks:
        values = "".join(f", {key} {value}" for key, value in network.values.items())
        yield (
            f"race: {network.name}: {1e3 * network.step_seconds:.3g} ms a step, {network.epochs:.3g} epochs if it gets "
            f"the whole budget{values}"
        )
    if len(race.entrants) == 1:
        yield f"race: nothing else is tried: {race.entrants[0].name} has the whole budget"
    else:
        yield (
            f"race: all start, those that will not win are dropped, and the choice falls by "
            f"{race.settings.lock:.0%} of the budget"
        )


def _result(plan: Plan, race: Race, now: Standing, num_examples: int) -> RaceResult:
    winner = now.leader
    own = race.share(now.rounds)
    done = plan.steps(winner.candidate, own, now.rounds) if now.rounds else 0
    network = plan.network(winner.candidate)
    left = (1 - race.spent(now)) * plan.seconds
    board = sorted(
        (_raced(plan, race, now, entrant) for entrant in race.entrants),
        key=lambda line: (line.name != winner.name, -(line.p_better or 0)),
    )
    return RaceResult(
        sentence=_sentence(race, now, board, num_examples, 1 - race.spent(now) + own, network),
        steps=done + max(1, int(left / network.step_seconds)),
        done=done,
        precision="bfloat16" if plan.prices.precision == "bfloat16" else "float32",
        leaderboard=tuple(board),
    )


def _worth(spec: SearchSpec, plan: Plan, race: Race, now: Standing) -> Iterator[str]:
    """Say how long the others needed for the loss that the model of `start.model` had first."""
    started = next((entrant for entrant in race.entrants if entrant.name == STARTED), None)
    first = race.slice(started, 1) if started else None
    if started is None or first is None or first.state != "done" or len(race.entrants) == 1:
        return
    loss, shares = fmean(first.losses), [race.share(number) for number in range(1, now.rounds + 1)]
    reached = {
        other.name: share
        for number, share in reversed(list(enumerate(shares, start=1)))
        for other in race.entrants
        if other is not started
        and (one := race.slice(other, number))
        and one.state == "done"
        and fmean(one.losses) <= loss
    }
    weights = "with its weights" if _has_weights(spec, plan) else "without its weights"
    start = (
        f"{spec.start.model} started {weights} and had loss {loss:.4g} after {shares[0]:.1%} of the budget"
    )
    if not reached:
        longest = max(race.share(now.dropped.get(other.name, now.rounds)) for other in race.entrants[1:])
        yield f"{start}; none of the others reached it with up to {longest:.1%}"
        return
    name = min(reached, key=reached.__getitem__)
    minutes = (reached[name] - shares[0]) * plan.seconds / 60
    yield (
        f"{start}; {name} was the first of the others to reach it, after {reached[name]:.1%}, so starting there saved "
        f"{minutes:.2g} minutes of training"
    )


def _raced(plan: Plan, race: Race, now: Standing, entrant: Entrant) -> RacedNetwork:
    network = plan.network(entrant.candidate)
    rounds = now.dropped.get(entrant.name, now.rounds)
    last = race.slice(entrant, rounds)
    known = last if last and last.state == "done" else None
    posterior = now.posteriors.get(entrant.name) if entrant is not now.leader else None
    if entrant is now.leader:
        outcome = "won"
    elif last and not known:
        outcome = f"failed: {last.reason}"
    else:
        outcome = f"dropped after {race.share(rounds):.1%} of the budget"
    return RacedNetwork(
        name=entrant.name,
        genotype=entrant.candidate.genotype,
        step_ms=1e3 * network.step_seconds,
        epochs=network.epochs,
        share=race.share(rounds),
        loss=fmean(known.losses) if known else None,
        score=known.metrics[race.objectives[0].metric] if known else None,
        p_better=posterior.p_better if posterior else None,
        outcome=outcome,
        curve=tuple(_curve(race, entrant, rounds)),
    )


def _curve(race: Race, entrant: Entrant, rounds: int) -> Iterator[tuple[float, float]]:
    for number in range(1, rounds + 1):
        if (slice := race.slice(entrant, number)) and slice.state == "done":
            yield race.share(number), fmean(slice.losses)


def _sentence(
    race: Race,
    now: Standing,
    board: Sequence[RacedNetwork],
    num_examples: int,
    share: float,
    network: PlannedNetwork,
) -> str:
    """Return in one sentence why the winner is what it is."""
    base, winner, others = race.entrants[0], now.leader, board[1:]
    examples = f"{num_examples:,} validation examples"
    if not others:
        return (
            f"nothing was compared with {winner.name}, which has the whole budget: {network.steps:,} steps, or "
            f"{network.epochs:.3g} epochs, are too few to share"
        )
    if winner is not base:
        known = now.posteriors.get(base.name)
        return (
            f"chosen over {base.name} (P = {1 - known.p_better:.2f}, {examples})"
            if known
            else (f"chosen since {base.name} could not be trained")
        )
    nearest = others[0]
    p = "" if nearest.p_better is None else f" (P = {nearest.p_better:.2f}, {examples})"
    return (
        f"nothing was shown to beat {winner.name}, which is trained with {share:.0%} of the budget; the nearest was "
        f"{nearest.name}{p}"
    )
