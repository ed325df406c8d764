from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import Tensor, nn

from cellwright.data import Examples, Source
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.spec import DataSection
from cellwright.tasks.regression import Regression

MEAN, STD = 100.0, 5.0


class Numbers(Regression):
    """A number from numbers."""

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        raise NotImplementedError

    @property
    def summary(self) -> str:
        return "numbers"

    def adapter(self) -> nn.Module:
        return nn.Identity()

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        return (torch.zeros(batch_size, *self.map_shape, device=device),)


@pytest.fixture
def task() -> Numbers:
    return Numbers(kind="numbers", input_names=("x",), map_shape=(1, 1, 1), target_mean=MEAN, target_std=STD)


def drawn(noise: float, seed: int = 1, count: int = 300) -> tuple[Tensor, Tensor]:
    """Return targets, and guesses that are wrong by about so many of their standard deviations."""
    targets = MEAN + STD * torch.randn(count, generator=torch.Generator().manual_seed(0))
    errors = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    return targets, targets + noise * STD * errors


def source(targets: np.ndarray, test: np.ndarray | None = None) -> Source:
    def examples(origin: str, values: np.ndarray) -> Examples:
        return Examples(origin=origin, inputs={"x": np.zeros((len(values), 1))}, targets=values)

    return Source(examples=examples("here", targets), test=None if test is None else examples("there", test))


def test_scores_are_those_of_the_reference(task: Numbers):
    targets, outputs = drawn(0.3)
    scores = task.scores(outputs, targets)
    assert tuple(scores) == task.metrics
    assert scores["r2"].value == task.score(outputs, targets) == pytest.approx(r2_score(targets, outputs))
    assert scores["rmse"].value == pytest.approx(root_mean_squared_error(targets, outputs), rel=1e-6)
    assert scores["mae"].value == pytest.approx(mean_absolute_error(targets, outputs), rel=1e-6)
    assert [scores[name].direction for name in task.metrics] == ["maximize", "minimize", "minimize"]


def test_perfect_guesses_score_1_and_the_mean_scores_0(task: Numbers):
    targets, _ = drawn(0)
    assert task.score(targets, targets) == 1
    assert task.score(targets.double().mean().expand_as(targets), targets) == pytest.approx(0, abs=1e-9)


def test_where_all_targets_are_the_same_no_score_is_infinite(task: Numbers):
    same = torch.full((9,), MEAN)
    running = task.running_score(same.device)
    running.add(same + 1, same)
    assert np.isfinite(task.score(same + 1, same))
    assert np.isfinite(running.value())


@pytest.mark.parametrize("noise", [0.01, 0.3, 2.0])
def test_batch_by_batch_the_score_is_the_same(task: Numbers, noise: float):
    targets, outputs = drawn(noise)
    running = task.running_score(targets.device)
    for rows in torch.arange(len(targets)).split(37):
        running.add(outputs[rows], targets[rows])
    assert running.value() == pytest.approx(task.score(outputs, targets), rel=1e-9, abs=1e-9)


def test_intervals_hold_the_score_and_shrink_with_examples(task: Numbers):
    def width(count: int) -> float:
        targets, outputs = drawn(0.5, count=count)
        score = task.scores(outputs, targets)["r2"]
        assert score.interval is not None
        assert score.interval.low < score.value < score.interval.high <= 1
        return score.interval.high - score.interval.low

    assert width(2000) < 0.5 * width(200)


def test_intervals_hold_what_is_true_about_as_often_as_they_say(task: Numbers):
    """The true R² of guesses with errors of half a standard deviation is 1 - 1/4."""
    rng = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(60):
        targets = MEAN + STD * torch.randn(150, generator=rng)
        outputs = targets + 0.5 * STD * torch.randn(150, generator=rng)
        interval = task.scores(outputs, targets)["r2"].interval
        assert interval is not None
        hits += interval.low <= 0.75 <= interval.high
    assert hits >= 52


def test_differences_are_those_of_scores_and_tell_noise_from_more(task: Numbers):
    targets, better = drawn(0.3)
    _, alike = drawn(0.31, seed=2)
    _, worse = drawn(0.8, seed=3)
    for other, tells in ((worse, True), (alike, False)):
        difference, interval = task.difference(better, other, targets)
        assert difference == pytest.approx(task.score(better, targets) - task.score(other, targets))
        assert interval.low < difference < interval.high
        assert (interval.low > 0) == tells
        reverse, mirrored = task.difference(other, better, targets)
        assert reverse == -difference
        assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low), abs=0.01)
    difference, interval = task.difference(better, better, targets)
    assert (difference, interval.low, interval.high) == (0, 0, 0)


def test_loss_counts_errors_in_standard_deviations(task: Numbers):
    targets, _ = drawn(0)
    assert task.loss(targets + 2 * STD, targets).item() == pytest.approx(4, rel=1e-4)
    assert task.loss(targets + STD, targets, label_smoothing=0.5).item() == pytest.approx(1, rel=1e-4)


def test_the_head_answers_in_the_targets_unit(task: Numbers):
    head = task.head(4)
    features = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0))
    assert head(features).shape == (2000,)
    linear = next(module for module in head.modules() if isinstance(module, nn.Linear))
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    assert head(features).unique().tolist() == [MEAN]
    nn.init.ones_(linear.bias)
    assert head(features).unique().tolist() == [MEAN + STD]
    assert {"mean", "std"} <= head.state_dict().keys()


def test_residuals_are_listed_by_quantile(task: Numbers):
    targets = torch.arange(101.0)
    (table,) = task.tables(targets + targets / 10, targets)
    assert table.rows == tuple(
        (name, pytest.approx(share, abs=1e-5))
        for name, share in (("5%", 0.5), ("25%", 2.5), ("50%", 5.0), ("75%", 7.5), ("95%", 9.5))
    )


def test_strata_are_tenths_of_the_targets_in_order(task: Numbers):
    targets = np.random.default_rng(0).permutation(200).astype(np.float32) ** 3
    strata = task.strata(source(targets))
    assert np.bincount(strata).tolist() == [20] * 10
    assert np.all(np.diff(strata[np.argsort(targets)]) >= 0)


@pytest.mark.parametrize(
    "targets",
    [np.arange(12.0), np.repeat([0.0, 1.0], [198, 2])],
    ids=["few", "rare"],
)
def test_what_is_too_little_to_share_out_is_one_stratum(task: Numbers, targets: np.ndarray):
    assert not task.strata(source(targets)).any()


def test_repeated_targets_share_a_stratum(task: Numbers):
    targets = np.repeat([0.0, 1.0, 7.0], [100, 60, 40])
    strata = task.strata(source(targets))
    assert len(np.unique(strata)) > 1
    for value in np.unique(targets):
        assert len(np.unique(strata[targets == value])) == 1


GOOD = np.arange(20.0)


def broken(value: float) -> np.ndarray:
    return np.where(GOOD == 3, value, GOOD)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: source(broken(np.nan)), "^here: targets must be finite, got nan at index 3$"),
        (lambda: source(GOOD, broken(-np.inf)), "^there: targets must be finite, got -inf at index 3$"),
        (lambda: source(0 * GOOD), "^here: targets must differ, and all are the same$"),
    ],
)
def test_refuses_targets(task: Numbers, build: Callable[[], Source], message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message):
        task.check(build(), DataSection(source="somewhere"))


def test_targets_as_they_should_be_are_taken(task: Numbers):
    task.check(source(GOOD, GOOD), DataSection(source="somewhere"))
