"""What a scheduled run does, and why: pure functions of what is known of the data, the versions and the hours.

The `decide` task gathers the facts; `benchmarks/year.py` makes them up.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from cellwright.results import Result
from cellwright.spec.policy import Policy, ScoreDrop, Work

Action = Literal["nothing", "retrain", "search"]
RANK: Mapping[Action, int] = {"nothing": 0, "retrain": 1, "search": 2}


class FeatureChange(Result):
    """One statistical test of whether the data changed."""

    name: str
    """What was compared: a feature, or the targets."""
    test: Literal["kolmogorov-smirnov", "chi-squared", "classifier"]
    statistic: float
    """Of a classifier, its accuracy on held-out examples."""
    p_value: float
    """Corrected for the number of features."""


class PastVersion(Result):
    """A registered version, as far as a decision depends on it."""

    version: int
    action: Work
    """How it was made."""
    days: float
    """How long ago."""
    data: str | None
    """Hash of its data."""
    num_examples: int | None
    """Of its data; None where its run does not say."""
    score: float | None
    """The task's objective on its test split."""
    hours: float | None = None
    """What its run took."""
    search_hours: float | None = None
    """What the search in it took."""


class DroppedScore(Result):
    """The champion on the new validation examples, beside the reference."""

    score: float
    p_value: float
    """How probable so low a score is, if it fell by no more than the policy's drop."""


class PolicyFacts(Result):
    """All that a decision depends on."""

    data: str
    """Hash of the data."""
    num_examples: int
    champion: int | None
    versions: tuple[PastVersion, ...]
    """The oldest first."""
    features: tuple[FeatureChange, ...] | None = None
    """Beside the data of `data_reference`; None where that has no summary of its data."""
    targets: FeatureChange | None = None
    dropped: DroppedScore | None = None
    """None where it was not measured."""
    unusable: str | None = None
    """Why the champion cannot predict for this data, if it cannot."""
    seen: int | None = None
    """How many of the test examples the champion's weights were trained on; None where it is not known, or does not
    matter."""
    live: float | None = None
    served: FeatureChange | None = None
    """The classes that the champion predicts in use, beside those on its test split; None where they are not known."""
    hours_spent: float = 0.0
    """In this month."""


class Reason(Result):
    """One reason for work."""

    name: str
    """Its section in the policy, or `unusable`."""
    then: Work
    sentence: str


class PolicyDecision(Result):
    """`decision.json`: what a scheduled run does, and why."""

    FILE = "decision.json"

    action: Action
    sentence: str
    reasons: tuple[Reason, ...] = ()
    """All that asked for work."""
    facts: Annotated[PolicyFacts, Field(repr=False)]


def reference(versions: tuple[PastVersion, ...]) -> float | None:
    """Return the score that the champion is measured by: the best of the versions since the last search."""
    scores = [version.score for version in _since_search(versions) if version.score is not None]
    return max(scores, default=None)


def cost(work: Work, versions: tuple[PastVersion, ...]) -> float:
    """Return the hours that work will take, from the last version for which it was done; 0 where nothing is known.

    Before anything was retrained, that takes what a version took without its search.
    """
    for version in reversed(versions):
        if version.action == work and version.hours is not None:
            return version.hours
    if work == "retrain":
        for version in reversed(versions):
            if version.hours is not None and version.search_hours is not None:
                return max(0.0, version.hours - version.search_hours)
    return 0.0


def data_reference(
    policy: Policy, champion: int | None, versions: tuple[PastVersion, ...]
) -> PastVersion | None:
    """Return the version whose data new data is compared with: the champion, or a later one that was tried recently."""
    tried = versions[-1] if versions else None
    if tried and (tried.version == champion or tried.days < policy.retry_days):
        return tried
    return next((version for version in versions if version.version == champion), None)


def decide(policy: Policy, facts: PolicyFacts) -> PolicyDecision:
    """Return what to do, with its reason as a sentence."""
    if facts.champion is None:
        return _decision("search", "there is no champion yet", (), facts)
    reasons = tuple(_reasons(policy, facts))
    if not reasons:
        return _decision("nothing", "nothing asks for work", (), facts)
    wanted = max((reason.then for reason in reasons), key=RANK.__getitem__)
    why = "; ".join(reason.sentence for reason in reasons if reason.then == wanted)
    obstacles: list[str] = []
    for action in get_args(Work)[::-1]:
        if RANK[action] > RANK[wanted]:
            continue
        if (obstacle := _done_already(action, facts) or _too_dear(action, policy, facts)) is None:
            return _decision(action, "; but ".join([why, *obstacles]), reasons, facts)
        obstacles.append(obstacle)
    return _decision("nothing", "; but ".join([why, *obstacles]), reasons, facts)


def _decision(action: Action, why: str, reasons: tuple[Reason, ...], facts: PolicyFacts) -> PolicyDecision:
    return PolicyDecision(action=action, sentence=f"{action}: {why}", reasons=reasons, facts=facts)


def _reasons(policy: Policy, facts: PolicyFacts) -> Iterator[Reason]:
    if facts.unusable:
        sentence = f"the champion cannot be used on this data: {facts.unusable}"
        yield Reason(name="unusable", then="search", sentence=sentence)
    known = data_reference(policy, facts.champion, facts.versions)
    if (rule := policy.new_data) and known and known.num_examples and known.data != facts.data:
        change = facts.num_examples - known.num_examples
        if abs(change) >= rule.share * known.num_examples:
            grown = change / known.num_examples
            sentence = f"{facts.num_examples} examples, {grown:+.0%} beside those of version {known.version}"
            yield Reason(name="new_data", then=rule.then, sentence=sentence)
    if (shift := policy.label_shift) and facts.targets and facts.targets.p_value < shift.level:
        sentence = f"the targets are distributed otherwise ({_format(facts.targets)})"
        yield Reason(name="label_shift", then=shift.then, sentence=sentence)
    if (drift := policy.drift) and facts.features:
        drifted = [one for one in facts.features if one.p_value < drift.level]
        if drifted:
            yield Reason(name="drift", then=drift.then, sentence=_drift(drifted, facts.features))
    if (fall := policy.score) and facts.dropped and facts.dropped.p_value < fall.level:
        yield _low_score(fall, facts, facts.dropped)
    searched = [version.days for version in facts.versions if version.action == "search"]
    if (age := policy.age) and searched and min(searched) > age.days:
        yield Reason(name="age", then=age.then, sentence=f"the last search was {min(searched):.0f} days ago")
    if (use := policy.served) and facts.served and facts.served.p_value < use.level:
        sentence = (
            f"the champion predicts other classes in use than on its test split ({_format(facts.served)})"
        )
        yield Reason(name="served", then=use.then, sentence=sentence)
    if (live := policy.live) and facts.live is not None:
        words = f"the live metric {live.metric} must be"
        if live.at_least is not None and facts.live < live.at_least:
            sentence = f"{words} at least {live.at_least:g}, got {facts.live:.4g}"
            yield Reason(name="live", then=live.then, sentence=sentence)
        if live.at_most is not None and facts.live > live.at_most:
            sentence = f"{words} at most {live.at_most:g}, got {facts.live:.4g}"
            yield Reason(name="live", then=live.then, sentence=sentence)


def _drift(drifted: Sequence[FeatureChange], tested: Sequence[FeatureChange]) -> str:
    """Say which features drifted, and whether their combination did."""
    alone = [one for one in drifted if one.test != "classifier"]
    together = [f"{one.name} drifted ({_format(one)})" for one in drifted if one.test == "classifier"]
    if not alone:
        return together[0]
    most = min(alone, key=lambda one: one.p_value)
    share = f"{len(alone)} of {sum(one.test != 'classifier' for one in tested)} features"
    return ", and ".join([f"{share} drifted, the most {most.name} ({_format(most)})", *together])


def _low_score(rule: ScoreDrop, facts: PolicyFacts, dropped: DroppedScore) -> Reason:
    retrained = [version for version in _since_search(facts.versions) if version.action == "retrain"]
    mended = f", which version {retrained[-1].version}, a retrained one, did not mend" if retrained else ""
    return Reason(
        name="score",
        then="search" if retrained else rule.then,
        sentence=f"the champion scores {dropped.score:.4g} on new labels, below {reference(facts.versions):.4g} by "
        f"more than {rule.drop:g}{mended}",
    )


def _since_search(versions: tuple[PastVersion, ...]) -> tuple[PastVersion, ...]:
    """Return the versions from the last search on; all, where none was searched."""
    last = max((index for index, version in enumerate(versions) if version.action == "search"), default=0)
    return versions[last:]


def _done_already(action: Action, facts: PolicyFacts) -> str | None:
    """Say which version was made in this way from this data; what is done again finds the same again."""
    for version in facts.versions:
        if version.data == facts.data and version.action == action:
            return f"version {version.version} is that of a {action} on this data"
    if action == "retrain":
        searched = [version for version in facts.versions if version.data == facts.data]
        if searched and searched[-1].version == facts.champion:
            return f"the champion, version {facts.champion}, was trained on this data"
    return None


def _too_dear(action: Work, policy: Policy, facts: PolicyFacts) -> str | None:
    """Say that the month's hours are not enough."""
    if policy.hours_per_month is None:
        return None
    left, needed = policy.hours_per_month - facts.hours_spent, cost(action, facts.versions)
    if needed <= left and left > 0:
        return None
    budget = f"{max(0.0, left):.2g} of the month's {policy.hours_per_month:g} are left"
    return f"a {action} takes {needed:.2g} hours, and {budget}"


def _format(tested: FeatureChange) -> str:
    return f"{tested.test} {tested.statistic:.2g}, p = {tested.p_value:.1g}"
