"""Whether a new version may become the champion: pure functions of what was measured, called by `register`.

Both are scored on the same test examples, so the comparison is paired. Every version that is compared on a test set is
a look at it. Look k has the level `level / (k (k + 1))`; over any number of looks these add up to no more than `level`,
so that many versions which are no better do not pass by being many.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cellwright.errors import CellwrightError
from cellwright.results import Comparison, GateCheck, ModelScore, PairedComparison
from cellwright.spec.gate import Gate

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

RESAMPLES_OF_LEVEL = 20
"""How many resamples, on average, are beyond the bound of a bootstrap."""
MOST_RESAMPLES = 20_000
LATENCY = "latency_ms"
WORST_CLASS = "worst_class"


def level_of_look(level: float, look: int) -> float:
    """Return the part of a level that the look of this number, from 1, has; the parts of all looks add up to the level.

    Spending a level over looks: Lan and DeMets 1983, https://doi.org/10.1093/biomet/70.3.659.
    """
    if look < 1:
        raise ValueError(f"look must be at least 1, got {look}")
    return level / (look * (look + 1))


def compare_correct(correct: Bools, others: Bools, level: float) -> PairedComparison:
    """Compare how often two models are right, by McNemar's exact test: https://doi.org/10.1007/BF02295996.

    Args:
        correct: (N,), where the new version is right.
        others: (N,), where the champion is.
        level: one-sided, of the test and of the bound, which is that of Agresti and Min 2005,
            https://doi.org/10.1002/sim.1781.
    """
    from scipy.special import ndtri
    from scipy.stats import binomtest

    gains, losses = int((correct & ~others).sum()), int((~correct & others).sum())
    differing, trials = gains + losses, len(correct)
    p_value = float(binomtest(gains, differing, alternative="greater").pvalue) if differing else 1.0
    centre = (gains - losses) / (trials + 2)
    spread = differing + 1 - (gains - losses) ** 2 / (trials + 2)
    low = centre - float(ndtri(1 - level)) * np.sqrt(spread) / (trials + 2)
    return PairedComparison(
        test="mcnemar", difference=(gains - losses) / trials, low=max(-1.0, float(low)), p_value=p_value
    )


def compare_resampled(
    difference: Callable[[Ints], float], num_examples: int, level: float
) -> PairedComparison:
    """Compare two models by any score, by the paired percentile bootstrap over examples; the same at each call.

    Args:
        difference: by how much the new version scores more on examples of these rows (N,), which may repeat.
        num_examples: of the test set.
        level: one-sided, of the test and of the bound.

    Raises:
        CellwrightError: one of them scores no finite number, since comparisons with that would pass.
    """
    whole = difference(np.arange(num_examples))
    if not np.isfinite(whole):
        raise CellwrightError(f"the scores on the same examples must differ by a finite number, got {whole}")
    rng = np.random.default_rng(0)
    resamples = min(MOST_RESAMPLES, int(np.ceil(RESAMPLES_OF_LEVEL / level)))
    drawn = np.sort([difference(rng.integers(num_examples, size=num_examples)) for _ in range(resamples)])
    return PairedComparison(
        test="bootstrap",
        difference=whole,
        low=float(drawn[int(level * resamples)]),
        p_value=float(((drawn <= 0).sum() + 1) / (resamples + 1)),
    )


def measured(score: ModelScore, worst_class: float | None) -> dict[str, float]:
    """Return what `gate.at_least` and `gate.at_most` can bound, by name."""
    values: dict[str, float | None] = {name: metric.value for name, metric in score.metrics.items()}
    values |= {"params": score.params, "macs": score.macs, WORST_CLASS: worst_class}
    if score.latency:
        values[LATENCY] = min(score.latency, key=lambda timed: timed.batch_size).median_ms
    return {name: value for name, value in values.items() if value is not None}


def check_bounds(gate: Gate, values: Mapping[str, float]) -> tuple[GateCheck, ...]:
    """Check what was measured against the bounds; what was not measured fails."""
    wanted = [("at_least", name, bound) for name, bound in gate.at_least.items()]
    wanted += [("at_most", name, bound) for name, bound in gate.at_most.items()]
    return tuple(_check_bound(key, name, bound, values) for key, name, bound in wanted)


def _check_bound(key: str, name: str, bound: float, values: Mapping[str, float]) -> GateCheck:
    if name not in values:
        return GateCheck(
            passed=False,
            sentence=f"gate.{key}: {name} must be measured, of {', '.join(sorted(values))}",
        )
    value = values[name]
    passed = value >= bound if key == "at_least" else value <= bound
    return GateCheck(
        passed=passed,
        sentence=f"{name} must be {key.replace('_', ' ')} {bound:g}, got {value:.4g}",
    )


def check_first(gate: Gate, objective: str, comparison: Comparison | None) -> GateCheck:
    """Check a first champion against the hand-designed network, by the interval of the evaluation."""
    if comparison is None:
        return GateCheck(
            passed=True, sentence="there is no champion, and no hand-designed network was trained"
        )
    low = 0.0 if gate.rule == "superiority" else -gate.margin
    return GateCheck(
        passed=comparison.interval.low > low,
        sentence=f"{objective} less that of {comparison.baseline} must be above {low:g}, got "
        f"{comparison.difference:+.4f} with the 95 % interval [{comparison.interval.low:+.4f}, "
        f"{comparison.interval.high:+.4f}]",
    )


def check_look(gate: Gate, look: int) -> GateCheck:
    """Check that the test set is not worn out."""
    passed = look <= gate.looks
    worn = "" if passed else ": the test set is worn out, and new examples are needed"
    return GateCheck(
        passed=passed, sentence=f"look {look} of {gate.looks} (gate.looks) at this test set{worn}"
    )


def check_leak(gate: Gate, seen: int, num_examples: int) -> GateCheck:
    """Check how many of the test examples a version's weights were trained on."""
    share = seen / num_examples
    return GateCheck(
        passed=share <= gate.leaked,
        sentence=f"at most {gate.leaked:.0%} of the test examples may be among those that its weights were trained on "
        f"(gate.leaked), got {seen} of {num_examples}",
    )


def check_champion(
    gate: Gate,
    objective: str,
    compared: PairedComparison,
    level: float,
    champion: int,
    costs: Mapping[str, tuple[float, float]],
) -> GateCheck:
    """Check a new version against the champion.

    Args:
        gate: the rule.
        objective: what they are compared by.
        compared: on the same examples.
        level: of this look.
        champion: its version.
        costs: by name, what the new version costs, such as parameters, and what the champion does.
    """
    against = f"{objective} less that of the champion, version {champion}, is {compared.difference:+.4f}"
    if compared.p_value < level:
        return GateCheck(
            passed=True, sentence=f"{against}: better, p = {compared.p_value:.2g} below {level:.2g}"
        )
    superior = f"{against}: p must be below {level:.2g}, got {compared.p_value:.2g}"
    if gate.rule == "superiority":
        return GateCheck(passed=False, sentence=superior)
    bounded = f"{against}: not better (p = {compared.p_value:.2g}), and above {compared.low:+.4f}"
    if compared.low <= -gate.margin:
        return GateCheck(
            passed=False, sentence=f"{bounded}, which must be above {-gate.margin:g} (gate.margin)"
        )
    saved = [name for name, (new, old) in costs.items() if new <= (1 - gate.gain) * old]
    formatted = ", ".join(f"{name} {new:.4g} for {old:.4g}" for name, (new, old) in costs.items())
    return GateCheck(
        passed=bool(saved),
        sentence=f"{bounded}; {formatted}: one must be at least {gate.gain:.0%} less (gate.gain)",
    )
