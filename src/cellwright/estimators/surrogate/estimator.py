"""Predicts scores from those of the architectures trained so far."""

from collections.abc import Mapping, Sequence

import numpy as np

from cellwright.candidate import Candidate
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.surrogate.section import SurrogateSection
from cellwright.evaluation import FULL, Evaluation
from cellwright.spaces import CandidateSpace, build_space
from cellwright.strategies.sampled import Features, Surrogate, refit_size

REFITS = 20
"""The surrogate is refitted when the number of evaluations has grown by 1/REFITS."""
Curve = tuple[float, ...]


class SurrogateScore(Estimator):
    """Predicts a candidate's score by a Gaussian process over the graphs and hyperparameters of finished evaluations.

    If the candidate was trained at a lower fidelity before, for example on a lower rung of ASHA, and so were enough
    finished ones, two features of its learning curve are used too: its last value and its slope (after Baker et al.
    2017, https://arxiv.org/abs/1705.10823).

    Args:
        settings: number of evaluations before the first prediction.
        setting: task, data and settings.
        seed: unused.
    """

    def __init__(self, settings: SurrogateSection, setting: Setting, *, seed: int) -> None:
        super().__init__(settings, setting, seed=seed)
        self._features = Features(CandidateSpace(build_space(setting.space), setting.hyperparameters))
        self._fitted: dict[int, tuple[int, Surrogate]] = {}
        """Number of evaluations and the model fitted to them, by the length of partial curves (0 for none)."""

    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the predicted score and its standard deviation; nothing if there are too few evaluations."""
        done = [e for e in earlier if e.state == "done" and e.fidelity == FULL]
        curves = _partial_curves(earlier)
        length = len(curves.get(candidate, ()))
        comparable = [e for e in done if len(curves.get(e.candidate, ())) == length]
        if length and refit_size(len(comparable), self.settings.initial, REFITS) is not None:
            return self._predict(candidate, comparable, curves, length)
        return self._predict(candidate, done, {}, 0)

    def _predict(
        self,
        candidate: Candidate,
        done: Sequence[Evaluation],
        curves: Mapping[Candidate, Curve],
        length: int,
    ) -> Mapping[str, float]:
        size = refit_size(len(done), self.settings.initial, REFITS)
        if size is None:
            return {}
        if length not in self._fitted or self._fitted[length][0] != size:
            groups = self._groups([e.candidate for e in done[:size]], curves)
            scores = [e.metrics[self.setting.task.objective] for e in done[:size]]
            self._fitted[length] = size, Surrogate(groups, scores)
        means, deviations = self._fitted[length][1].predict(self._groups([candidate], curves))
        return dict(zip(self.metrics, (float(means[0]), float(deviations[0])), strict=True))

    def _groups(self, candidates: Sequence[Candidate], curves: Mapping[Candidate, Curve]) -> list[np.ndarray]:
        groups = list(self._features(candidates))
        if curves:
            groups.append(np.array([_shape(curves[candidate]) for candidate in candidates]))
        return groups


def _partial_curves(evaluations: Sequence[Evaluation]) -> Mapping[Candidate, Curve]:
    """Return the longest learning curve of each candidate from a training below full fidelity."""
    curves: dict[Candidate, Curve] = {}
    for evaluation in evaluations:
        candidate = evaluation.candidate
        if evaluation.fidelity != FULL and len(evaluation.curve) > len(curves.get(candidate, ())):
            curves[candidate] = evaluation.curve
    return curves


def _shape(curve: Curve) -> tuple[float, float]:
    """Return the last value of a curve, and its increase over the second half."""
    return curve[-1], curve[-1] - curve[len(curve) // 2]
