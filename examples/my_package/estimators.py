"""An estimator of your own: it scores an architecture in moments, without training it."""

from collections.abc import Mapping, Sequence

import torch

from cellwright.candidate import Candidate
from cellwright.estimators.base import Estimator
from cellwright.evaluation import Evaluation
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.networks import build_network

EXAMPLES = 32


class Smoothness(Estimator):
    """Measures how much outputs change where training inputs change a little."""

    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the negative mean change."""
        with seeded_initialisation(seed):
            network = build_network(self.setting.space, self.setting.task, candidate.genotype)
        network.to(self.setting.device).eval()
        inputs, _ = next(self.setting.train.sample(EXAMPLES, seed=seed).ordered_batches(EXAMPLES))
        with torch.no_grad():
            change = network(*(1.01 * tensor for tensor in inputs)) - network(*inputs)
        return {"smoothness": -change.abs().mean().item()}
