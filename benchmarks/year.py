"""A year of scheduled runs on data that drifts twice, under the policy and with a search every week.

Nothing is trained. The true score of each model is known, and the rules of the policy and of the gate see what they
would see: samples of features and targets, and which of the sampled examples each model is right on.

    python -m benchmarks.year --repetitions 200
"""

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import get_args

import numpy as np

from cellwright.drifting import compare_feature, compare_features, count_drop
from cellwright.gating import Bools, check_champion, compare_correct, level_of_look
from cellwright.policy import Action, PastVersion, PolicyFacts, data_reference, decide, reference
from cellwright.spec.gate import Gate
from cellwright.spec.policy import Policy, Work

WEEKS, DAYS = 52, 7.0
HOURS: dict[Work, float] = {"retrain": 1.0, "search": 8.0}
"""A search includes the training of what it finds."""
EXAMPLES, GROWTH = 5000, 1.02
"""In the first week, and the factor by which there are more each week."""
VALIDATION = TEST = 1000
FEATURES, SAMPLE, CLASSES = 8, 500, 4
USUAL, LUCK = 0.9, 0.004
"""True score of what searches find on the first data, and its standard deviation over searches."""
TRAINING = 0.002
"""Standard deviation of the true score over trainings of the same architecture."""
STALE = (0.03, 0.12)
"""What a model loses at least and at most when the data drifts, until it is trained again."""
MISFIT = (0.0, 0.02)
"""What an architecture loses at least and at most that was found before the drift, also when it is trained again."""
CHOICE = 0.003
"""Standard deviation of the scores by which a search compares the champion's architecture with the best other one."""
DISAGREEMENT = 0.06
"""Share of examples on which two equally good models differ."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a search found."""

    luck: float
    era: int
    """Of the data it was found on: 0, 1 or 2."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained version."""

    version: int
    architecture: Architecture
    trained_in: int
    noise: float


@dataclass(frozen=True, kw_only=True)
class Year:
    """What a year came to."""

    score: float
    """Mean true score of the champion."""
    hours: float
    promotions: int
    false_promotions: int
    """Of a version whose true score was lower by more than the gate's margin."""
    actions: dict[Action, int]


class World:
    """Data of each week and true scores, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self.drifts = (int(rng.integers(8, 24)), int(rng.integers(28, 46)))
        self.stale = rng.uniform(*STALE, size=2)
        self.misfit = rng.uniform(*MISFIT, size=2)
        self.harder = rng.normal(0, 0.01, size=2)
        self.shift = rng.normal(0, 0.8, size=(3, FEATURES)) * (rng.random((3, FEATURES)) < 0.5)
        self.classes = rng.dirichlet([20.0] * CLASSES, size=3)

    def era(self, week: int) -> int:
        """Return the part of the year that a week is in: 0, 1 or 2."""
        return sum(week >= drift for drift in self.drifts)

    def features(self, week: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return a sample of the week's features."""
        shift = self.shift[self.era(week)]
        return {f"feature {i}": rng.normal(shift[i], 1, SAMPLE).astype(np.float32) for i in range(FEATURES)}

    def targets(self, week: int, rng: np.random.Generator) -> np.ndarray:
        """Return a sample of the week's classes."""
        return rng.choice(CLASSES, SAMPLE, p=self.classes[self.era(week)])

    def potential(self, architecture: Architecture, week: int) -> float:
        """Return the true score of an architecture that is trained on the week's data."""
        era = self.era(week)
        misfit = self.misfit[architecture.era : era].sum()
        return float(USUAL + architecture.luck - misfit + self.harder[:era].sum())

    def score(self, model: Model, week: int) -> float:
        """Return the true score of a model on the week's data."""
        stale = self.stale[model.trained_in : self.era(week)].sum()
        return float(self.potential(model.architecture, week) + model.noise - stale)


class Registry:
    """Versions of a year, and the champion."""

    def __init__(self) -> None:
        self.champion: Model | None = None
        self.past: list[PastVersion] = []
        self.hours = 0.0

    def versions(self, week: int) -> tuple[PastVersion, ...]:
        """Return the versions with their age in a week."""
        return tuple(v.model_copy(update={"days": DAYS * week - v.days}) for v in self.past)


def simulate(seed: int, policy: Policy | None, gate: Gate) -> Year:
    """Return what a year comes to under a policy, or with a search every week."""
    world, registry, rng = World(seed), Registry(), np.random.default_rng([seed, 1])
    actions: dict[Action, int] = dict.fromkeys(get_args(Action), 0)
    scores, promotions, false_promotions, month = [], 0, 0, (0, 0.0)
    kept: list[tuple[dict[str, np.ndarray], np.ndarray]] = []
    for week in range(WEEKS):
        if month[0] != week * 12 // WEEKS:
            month = (week * 12 // WEEKS, registry.hours)
        now = (world.features(week, rng), world.targets(week, rng))
        action: Action = "search"
        if policy and registry.champion:
            versions = registry.versions(week)
            like = data_reference(policy, registry.champion.version, versions)
            assert like is not None
            features, targets = kept[like.version - 1]
            least = (reference(versions) or 0.0) - (policy.score.drop if policy.score else 0.0)
            right = rng.random(VALIDATION) < world.score(registry.champion, week)
            facts = PolicyFacts(
                data=str(week),
                num_examples=int(EXAMPLES * GROWTH**week),
                champion=registry.champion.version,
                versions=versions,
                features=compare_features(features, now[0]),
                targets=compare_feature("targets", targets, now[1]),
                dropped=count_drop(right, least),
                hours_spent=registry.hours - month[1],
            )
            action = decide(policy, facts).action
        actions[action] += 1
        if action != "nothing":
            registry.hours += HOURS[action]
            kept.append(now)
            model = make(world, registry, week, action, rng)
            old, new = registry.champion, world.score(model, week)
            passed, measured = judge(
                gate, world.score(old, week) if old else None, new, len(registry.past) + 1, rng
            )
            registry.past.append(
                PastVersion(
                    version=model.version,
                    action=action,
                    days=DAYS * week,
                    data=str(week),
                    num_examples=int(EXAMPLES * GROWTH**week),
                    score=measured,
                    hours=HOURS[action],
                )
            )
            if passed:
                promotions += 1
                false_promotions += old is not None and new < world.score(old, week) - gate.margin
                registry.champion = model
        assert registry.champion is not None
        scores.append(world.score(registry.champion, week))
    return Year(
        score=fmean(scores),
        hours=registry.hours,
        promotions=promotions,
        false_promotions=false_promotions,
        actions=actions,
    )


def make(world: World, registry: Registry, week: int, action: Work, rng: np.random.Generator) -> Model:
    """Search or retrain; a search has the champion's architecture among its candidates."""
    known = registry.champion.architecture if registry.champion else None
    found = Architecture(luck=float(rng.normal(0, LUCK)), era=world.era(week))
    if known is None or action == "search":
        gain = world.potential(found, week) - (world.potential(known, week) if known else -1.0)
        chosen = found if known is None or rng.normal(gain, CHOICE) > 0 else known
    else:
        chosen = known
    return Model(
        version=len(registry.past) + 1,
        architecture=chosen,
        trained_in=world.era(week),
        noise=float(rng.normal(0, TRAINING)),
    )


def judge(
    gate: Gate, champion: float | None, new: float, version: int, rng: np.random.Generator
) -> tuple[bool, float]:
    """Return whether a version passes the gate, and its score on the test examples, which are new each week."""
    right, others = draw_correct(new, new if champion is None else champion, rng)
    measured = float(right.mean())
    if champion is None:
        return True, measured
    level = level_of_look(gate.level, 1)
    compared = compare_correct(right, others, level)
    return check_champion(gate, "accuracy", compared, level, version - 1, {}).passed, measured


def draw_correct(new: float, old: float, rng: np.random.Generator) -> tuple[Bools, Bools]:
    """Draw on which test examples two models with these true scores are right, (N,) each."""
    differing = min(DISAGREEMENT + abs(new - old), 2 - new - old, new + old)
    gains, losses = (differing + new - old) / 2, (differing - new + old) / 2
    cells = rng.choice(
        4, TEST, p=[gains, losses, (new + old - differing) / 2, 1 - (new + old + differing) / 2]
    )
    return (cells == 0) | (cells == 2), (cells == 1) | (cells == 2)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Years under the policy beside the same years with a search every week."""

    years: int
    years_with_false_promotion: float
    """Share of the years with the policy in which a version was promoted that was worse by more than the margin."""
    years_with_false_promotion_always: float
    share_of_hours: float
    score: float
    score_always: float

    @property
    def difference(self) -> float:
        """Return how much higher the mean true score is under the policy."""
        return self.score - self.score_always


def summarise(policy: Sequence[Year], always: Sequence[Year]) -> Summary:
    """Compare years."""
    return Summary(
        years=len(policy),
        years_with_false_promotion=fmean(year.false_promotions > 0 for year in policy),
        years_with_false_promotion_always=fmean(year.false_promotions > 0 for year in always),
        share_of_hours=sum(year.hours for year in policy) / sum(year.hours for year in always),
        score=fmean(year.score for year in policy),
        score_always=fmean(year.score for year in always),
    )


def main() -> None:
    """Simulate, and print the summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=200)
    repetitions: int = parser.parse_args().repetitions
    policy, gate = Policy(), Gate()
    years = [simulate(seed, policy, gate) for seed in range(repetitions)]
    summary = summarise(years, [simulate(seed, None, gate) for seed in range(repetitions)])
    for name, value in dataclasses.asdict(summary).items():
        print(f"{name}: {value:.4g}")
    print(f"difference: {summary.difference:+.4f}")
    for action in years[0].actions:
        print(f"{action} per year: {fmean(year.actions[action] for year in years):.3g}")
    print(f"promotions per year: {fmean(year.promotions for year in years):.3g}")


if __name__ == "__main__":
    main()
