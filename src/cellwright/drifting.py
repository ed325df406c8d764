"""Whether data is distributed otherwise than before, and whether a score on it is lower, by the tests of scipy."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright.gating import Bools, Ints, compare_resampled
from cellwright.policy import DroppedScore, FeatureChange

Features = Mapping[str, NDArray[Any]]
"""The values (N,) of each feature, in any order: whole numbers are categories, and others numbers, NaN where one is
missing."""

FEWEST_EXPECTED = 5.0
"""Categories that are expected less often in either sample are counted together, as the chi-squared test asks."""


def compare_features(before: Features, now: Features, *, rows: bool = False) -> tuple[FeatureChange, ...]:
    """Compare each feature that both have, and with `rows` all of them together; p-values are corrected for the number.

    By the two-sample Kolmogorov-Smirnov test or Pearson's chi-squared test, and the procedure of Benjamini and Hochberg
    1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x: where no feature changed, the least of the p-values is
    below a level with no more than that probability.
    """
    from scipy.stats import false_discovery_control

    tested = [compare_feature(name, before[name], now[name]) for name in sorted(before.keys() & now.keys())]
    if not tested:
        return ()
    if rows:
        tested.append(compare_together(before, now))
    corrected = false_discovery_control([one.p_value for one in tested])
    return tuple(
        one.model_copy(update={"p_value": float(p)}) for one, p in zip(tested, corrected, strict=True)
    )


def compare_feature(name: str, before: NDArray[Any], now: NDArray[Any]) -> FeatureChange:
    """Compare the values (N,) and (M,) of one feature."""
    from scipy.stats import ks_2samp

    if np.issubdtype(before.dtype, np.integer):
        return _compare_categories(name, before, now)
    lowest = [
        np.nan_to_num(values.astype(np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        for values in (before, now)
    ]
    found = ks_2samp(*lowest, method="asymp")
    return FeatureChange(
        name=name, test="kolmogorov-smirnov", statistic=float(found.statistic), p_value=float(found.pvalue)
    )


def compare_together(before: Features, now: Features) -> FeatureChange:
    """Compare rows by a classifier that is trained on half of them to tell samples apart, and counted on the others.

    The classifier two-sample test of Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545: of samples that are
    distributed equally it is right by chance, and the exact binomial test says whether it is right more often. As many
    rows of each sample are taken, so that the smaller one gives the number.

    Args:
        before: values of an example have the same place in each feature.
        now: likewise.
    """
    from scipy.stats import binomtest
    from sklearn.ensemble import HistGradientBoostingClassifier

    names = sorted(before.keys() & now.keys())
    rng = np.random.default_rng(0)
    samples = [
        np.column_stack([features[name].astype(np.float64) for name in names]) for features in (before, now)
    ]
    half = min(map(len, samples)) // 2
    drawn = [rows[rng.permutation(len(rows))[: 2 * half]] for rows in samples]
    train, test = (
        np.concatenate([rows[part] for rows in drawn]) for part in (slice(half), slice(half, None))
    )
    is_new = np.repeat([False, True], half)
    model = HistGradientBoostingClassifier(max_iter=50, early_stopping=False, random_state=0).fit(
        train, is_new
    )
    right = int((model.predict(test) == is_new).sum())
    p_value = float(binomtest(right, 2 * half, alternative="greater").pvalue)
    return FeatureChange(
        name="their combination", test="classifier", statistic=right / (2 * half), p_value=p_value
    )


def _compare_categories(name: str, before: NDArray[Any], now: NDArray[Any]) -> FeatureChange:
    known = np.union1d(before, now)
    counts = np.stack([np.bincount(np.searchsorted(known, x), minlength=len(known)) for x in (before, now)])
    return compare_counts(name, counts)


def compare_counts(name: str, counts: NDArray[np.integer[Any]]) -> FeatureChange:
    """Compare how often two samples have each category, (2, C), by Pearson's chi-squared test."""
    from scipy.stats import chi2_contingency

    expected = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    rare = expected < FEWEST_EXPECTED
    table = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return FeatureChange(name=name, test="chi-squared", statistic=0.0, p_value=1.0)
    found = chi2_contingency(table, correction=False)
    return FeatureChange(
        name=name, test="chi-squared", statistic=float(found.statistic), p_value=float(found.pvalue)
    )


def count_drop(correct: Bools, least: float) -> DroppedScore:
    """Compare a share of right answers with the least that it should be, by the exact binomial test.

    Args:
        correct: (N,), where the champion is right.
        least: the share.
    """
    from scipy.stats import binomtest

    right, trials = int(correct.sum()), len(correct)
    found = binomtest(right, trials, min(1.0, max(0.0, least)), alternative="less")
    return DroppedScore(score=right / trials, p_value=float(found.pvalue))


def resample_drop(
    score: Callable[[Ints], float], num_examples: int, least: float, level: float
) -> DroppedScore:
    """Compare any score with the least that it should be, by the percentile bootstrap over examples.

    Args:
        score: on examples of these rows (N,), which may repeat.
        num_examples: of the split.
        least: the score.
        level: that the p-value will be compared with.
    """
    compared = compare_resampled(lambda rows: least - score(rows), num_examples, level)
    return DroppedScore(score=least - compared.difference, p_value=compared.p_value)
