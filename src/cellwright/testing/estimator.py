"""The contract of estimators that run in the search's process."""

import math
import random
from pathlib import Path

import pytest
import torch

from cellwright.candidate import Candidate
from cellwright.estimators.base import Estimator, Setting, build_estimator
from cellwright.progress import Silent
from cellwright.spaces import CandidateSpace, build_space
from cellwright.spec import EstimatorSection


class EstimatorContract:
    """Inherit from this class, and define the fixtures `section` and `setting` for the estimator to test."""

    @pytest.fixture
    def section(self) -> EstimatorSection:
        """Return the estimator's section."""
        raise NotImplementedError

    @pytest.fixture
    def setting(self) -> Setting:
        """Return a small setting."""
        raise NotImplementedError

    @pytest.fixture
    def candidates(self, setting: Setting) -> list[Candidate]:
        """Return some candidates."""
        space, rng = CandidateSpace(build_space(setting.space), setting.hyperparameters), random.Random(0)
        return [space.sample(rng) for _ in range(3)]

    @pytest.fixture
    def estimator(self, section: EstimatorSection, setting: Setting, tmp_path: Path) -> Estimator:
        """Return the prepared estimator."""
        estimator = build_estimator(section, setting, seed=1)
        estimator.prepare(tmp_path, Silent())
        return estimator

    def test_estimates_are_finite_named_as_declared_and_follow_from_the_seed(
        self,
        section: EstimatorSection,
        setting: Setting,
        estimator: Estimator,
        candidates: list[Candidate],
        tmp_path: Path,
    ) -> None:
        """The same seed gives the same estimates, also from a new estimator with the same folder."""
        found = [estimator.estimate(candidate, (), seed=3) for candidate in candidates]
        declared = section.metrics(setting.task.objective)
        assert all(tuple(metrics) == estimator.metrics == declared for metrics in found)
        assert all(math.isfinite(value) for metrics in found for value in metrics.values())
        assert found == [estimator.estimate(candidate, (), seed=3) for candidate in candidates]

        again = build_estimator(section, setting, seed=1)
        again.prepare(tmp_path, Silent())
        assert found == [again.estimate(candidate, (), seed=3) for candidate in candidates]

    def test_leaves_nothing_behind(
        self, section: EstimatorSection, setting: Setting, candidates: list[Candidate], tmp_path: Path
    ) -> None:
        """Neither global state nor data is changed."""

        def state() -> tuple[object, ...]:
            return (
                torch.is_grad_enabled(),
                torch.get_num_threads(),
                torch.get_default_dtype(),
                torch.random.get_rng_state().tolist(),
                random.getstate(),
                [tensor.tolist() for tensor in setting.train[:].inputs],
            )

        before = state()
        estimator = build_estimator(section, setting, seed=1)
        estimator.prepare(tmp_path, Silent())
        estimator.estimate(candidates[0], (), seed=3)
        assert state() == before
