"""A sampled search, from the spec to its result."""

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cellwright.candidate import Candidate
from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError
from cellwright.estimators.base import build_estimator
from cellwright.evaluation import Evaluation, Objective, build_objectives
from cellwright.katib.settings import SearchSettings
from cellwright.pareto import knee, pareto_front, weighted
from cellwright.progress import Progress
from cellwright.results import FrontMember, SearchResult
from cellwright.runners import runner_class
from cellwright.search.candidates import candidate_space
from cellwright.search.exploring import Exploration
from cellwright.search.journal import history_of, summaries_of
from cellwright.search.screening import Screen
from cellwright.search.trial import setting_of, trials_of
from cellwright.search.warm_start import start_candidates, start_worth
from cellwright.seeds import derive_seed
from cellwright.spaces import CandidateSpace, FixedSpace
from cellwright.spec import (
    AnyPick,
    BestPick,
    KneePick,
    SampledSection,
    SearchSpec,
    Start,
    WeightedPick,
    WithinPick,
)
from cellwright.strategies.sampled import build_sampled
from cellwright.strategies.sampled.predictor import PredictorSection
from cellwright.training.networks import use_device


def sampled_search(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> SearchResult:
    """Evaluate architectures one by one, and return the one that is best on fresh seeds.

    Raises:
        CellwrightError: no architecture is feasible, or all evaluations failed.
    """
    assert isinstance(spec.strategy, SampledSection)
    space = candidate_space(spec)
    start = start_candidates(spec, space)
    settings = SearchSettings.of(spec, start)
    return _explore(spec, space, spec.strategy, data, folder, progress, start=start, settings=settings)


def tune(spec: SearchSpec, found: SearchResult, data: Path, folder: Path, progress: Progress) -> SearchResult:
    """Search hyperparameters for the found architecture, and return it with those that are best on fresh seeds."""
    assert spec.tune is not None
    folder.mkdir(exist_ok=True)
    budget = spec.budget.model_copy(update={"evaluations": spec.tune.evaluations})
    alone = {"budget": budget, "start": Start()}
    result = _explore(
        spec.model_copy(update=alone),
        CandidateSpace(FixedSpace(found.genotype), spec.tune.values),
        spec.strategy if isinstance(spec.strategy, SampledSection) else PredictorSection(kind="predictor"),
        data,
        folder,
        progress,
    )
    return found.model_copy(
        update={
            "tuned": result.tuned,
            "seconds": found.seconds + result.seconds,
            "events": found.events + result.events,
        }
    )


def _explore(
    spec: SearchSpec,
    space: CandidateSpace,
    section: SampledSection,
    data: Path,
    folder: Path,
    progress: Progress,
    *,
    start: Sequence[Candidate] = (),
    settings: SearchSettings | None = None,
) -> SearchResult:
    setting = replace(
        setting_of(spec, PreparedData.open(data), use_device(spec)), hyperparameters=space.hyperparameters
    )
    cheap = [section for section in spec.estimators if section is not spec.trial_estimator]
    seed = derive_seed(spec.seed, "estimators")
    chain = [(build_estimator(section, setting, seed=seed), section.keep) for section in cheap]
    for estimator, _ in chain:
        estimator.prepare(folder, progress)
    screen = Screen(chain, spec, setting)
    screen.require_feasible(space, random.Random(derive_seed(spec.seed, "feasible")))
    objectives = build_objectives(spec.objectives)
    strategy = build_sampled(section, space, objectives, seed=spec.seed)
    exploration = Exploration(
        spec,
        strategy,
        screen,
        runner=runner_class(spec.runner).of(spec, trials_of(spec, data, folder, progress, settings))
        if spec.trial_estimator
        else None,
        data=data,
        folder=folder,
        progress=progress,
        start=start,
    )
    budget = spec.budget
    progress.log(
        f"search: {budget.evaluations} evaluations, {spec.runner.parallel} at a time; then {budget.finalists} "
        f"finalists are scored again on {budget.fresh_seeds} fresh seeds"
    )
    try:
        exploration.explore()
        progress.log(f"search: scoring {budget.finalists} finalists again")
        again = exploration.score_again(strategy.finalists(spec.budget.finalists))
    finally:
        exploration.close()
    if not again:
        raise CellwrightError(
            f"search: no architecture could be evaluated: {_last_reason(exploration.evaluations)}"
        )
    means = _means(again)
    front = pareto_front(means, objectives) if len(objectives) > 1 else [strategy.choose(again)]
    chosen = _pick(spec.pick, {candidate: means[candidate] for candidate in front}, objectives)
    worth = start_worth(spec, objectives[0], exploration.done)
    return SearchResult(
        genotype=chosen.genotype,
        tuned=dict(chosen.values),
        score=means[chosen].get(spec.augment.objective),
        seconds=exploration.seconds,
        history=history_of(exploration.done, objectives[0]),
        events=(*exploration.events, *([worth] if worth else [])),
        front=tuple(
            FrontMember(
                genotype=candidate.genotype, tuned=dict(candidate.values), metrics=dict(means[candidate])
            )
            for candidate in front
        ),
        trials=summaries_of(exploration.evaluations),
    )


def _means(again: Sequence[Evaluation]) -> dict[Candidate, Mapping[str, float]]:
    """Return the mean metrics of each finalist on fresh seeds, which exclude the possibly lucky score of the search."""
    found: dict[Candidate, list[Mapping[str, float]]] = {}
    for evaluation in again:
        found.setdefault(evaluation.candidate, []).append(evaluation.metrics)
    return {
        candidate: {name: statistics.fmean(m[name] for m in metrics) for name in metrics[0]}
        for candidate, metrics in found.items()
    }


def _pick(
    pick: AnyPick, metrics: Mapping[Candidate, Mapping[str, float]], objectives: list[Objective]
) -> Candidate:
    """Return the member of the front, which is sorted, that the spec's rule selects."""
    match pick:
        case BestPick():
            return next(iter(metrics))
        case KneePick():
            return knee(metrics, objectives)
        case WeightedPick():
            return weighted(metrics, objectives, pick.weights)
        case WithinPick():
            bounds = [o for o in objectives if o.metric in pick.limits]
            for candidate, found in metrics.items():
                if all(o.score(found) >= o.score(pick.limits) for o in bounds):
                    return candidate
            raise CellwrightError(
                f"pick.limits must be reached by a finalist, got {pick.limits}; the front is {list(metrics.values())}"
            )


def _last_reason(evaluations: Mapping[tuple[int, int], Evaluation]) -> str | None:
    return next((e.reason for e in reversed(tuple(evaluations.values())) if e.reason), None)
