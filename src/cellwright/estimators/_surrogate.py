"""Scores that are predicted from those of the architectures that were trained so far."""

from collections.abc import Mapping, Sequence

from cellwright.estimators._base import Estimator, Setting
from cellwright.evaluation import FULL, Evaluation
from cellwright.genotype import Genotype
from cellwright.sampled import Features, Surrogate, refit_size
from cellwright.spaces import architecture_of, build_space
from cellwright.spec import SurrogateEstimator

REFITS = 20
"""The surrogate is fitted afresh once what it could learn from is one part in so many more."""


class SurrogateScore(Estimator):
    """Predicts an architecture's accuracy by a Gaussian process over the graphs of those that are done.

    Args:
        settings: from how many evaluations on.
        setting: what for.
    """

    def __init__(self, settings: SurrogateEstimator, setting: Setting) -> None:
        self.settings = settings
        self.metrics = settings.metrics
        self._features = Features(build_space(setting.space))
        self._model: Surrogate | None = None
        self._num_fitted = 0

    def estimate(
        self, genotype: Genotype, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the predicted accuracy and its standard deviation; nothing while there is too little to learn from."""
        done = [e for e in earlier if e.state == "done" and e.fidelity == FULL]
        size = refit_size(len(done), self.settings.initial, REFITS)
        if size is None:
            return {}
        if self._model is None or size != self._num_fitted:
            groups = self._features([architecture_of(e.genotype) for e in done[:size]])
            self._model = Surrogate(groups, [e.metrics["accuracy"] for e in done[:size]])
            self._num_fitted = size
        means, deviations = self._model.predict(self._features([genotype]))
        return dict(zip(self.metrics, (float(means[0]), float(deviations[0])), strict=True))
