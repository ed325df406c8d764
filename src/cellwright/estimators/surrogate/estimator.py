"""Scores that are predicted from those of the architectures that were trained so far."""

from collections.abc import Mapping, Sequence

import numpy as np

from cellwright.candidate import Candidate
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.surrogate.section import SurrogateSection
from cellwright.evaluation import FULL, Evaluation
from cellwright.genotype import Genotype
from cellwright.spaces import CandidateSpace, build_space
from cellwright.strategies.sampled import Features, Surrogate, refit_size

REFITS = 20
"""The surrogate is fitted afresh once what it could learn from is one part in so many more."""
Curve = tuple[float, ...]


class SurrogateScore(Estimator):
    """Predicts an architecture's score by a Gaussian process over the graphs of those that are done.

    Where the architecture was trained less thoroughly before, as on a lower rung of ASHA, and enough of those that are
    done were too, its curve there counts as well, by where it ended and how it rose (after the last-seen-value and
    slope features of Baker et al. 2017, https://arxiv.org/abs/1705.10823).

    Args:
        settings: from how many evaluations on.
        setting: what for.
        seed: not needed.
    """

    def __init__(self, settings: SurrogateSection, setting: Setting, *, seed: int) -> None:
        super().__init__(settings, setting, seed=seed)
        self._features = Features(CandidateSpace(build_space(setting.space)))
        self._fitted: dict[int, tuple[int, Surrogate]] = {}
        """By the length of partial curves, 0 for none: how many evaluations the model was fitted to, and the model."""

    def estimate(
        self, genotype: Genotype, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the predicted score and its standard deviation; nothing while there is too little to learn from."""
        done = [e for e in earlier if e.state == "done" and e.fidelity == FULL]
        curves = _partial_curves(earlier)
        length = len(curves.get(genotype, ()))
        comparable = [e for e in done if len(curves.get(e.candidate.genotype, ())) == length]
        if length and refit_size(len(comparable), self.settings.initial, REFITS) is not None:
            return self._predict(genotype, comparable, curves, length)
        return self._predict(genotype, done, {}, 0)

    def _predict(
        self,
        genotype: Genotype,
        done: Sequence[Evaluation],
        curves: Mapping[Genotype, Curve],
        length: int,
    ) -> Mapping[str, float]:
        size = refit_size(len(done), self.settings.initial, REFITS)
        if size is None:
            return {}
        if length not in self._fitted or self._fitted[length][0] != size:
            groups = self._groups([e.candidate.genotype for e in done[:size]], curves)
            scores = [e.metrics[self.setting.task.objective] for e in done[:size]]
            self._fitted[length] = size, Surrogate(groups, scores)
        means, deviations = self._fitted[length][1].predict(self._groups([genotype], curves))
        return dict(zip(self.metrics, (float(means[0]), float(deviations[0])), strict=True))

    def _groups(self, genotypes: Sequence[Genotype], curves: Mapping[Genotype, Curve]) -> list[np.ndarray]:
        groups = list(self._features([Candidate(genotype=genotype) for genotype in genotypes]))
        if curves:
            groups.append(np.array([_shape(curves[genotype]) for genotype in genotypes]))
        return groups


def _partial_curves(evaluations: Sequence[Evaluation]) -> Mapping[Genotype, Curve]:
    """Return the longest curve of each architecture from training that was less than full."""
    curves: dict[Genotype, Curve] = {}
    for evaluation in evaluations:
        genotype = evaluation.candidate.genotype
        if evaluation.fidelity != FULL and len(evaluation.curve) > len(curves.get(genotype, ())):
            curves[genotype] = evaluation.curve
    return curves


def _shape(curve: Curve) -> tuple[float, float]:
    """Return where a curve ended, and how much it rose over its second half."""
    return curve[-1], curve[-1] - curve[len(curve) // 2]
