"""A search strategy of one's own: one file, one class, no fork.

    strategy:
      kind: custom_strategy:SnasSection
      temperature: 1.5
      alpha_learning_rate: 0.01

The module must be importable where the search step runs: installed there, or on PYTHONPATH. To hold it to what every
strategy must do, inherit the tests:

    from cellwright.testing import DifferentiableContract

    class TestSnas(DifferentiableContract):
        @pytest.fixture(scope="class")
        @classmethod
        def section(cls):
            return {"kind": "custom_strategy:SnasSection"}
"""

from typing import Literal

import torch
from pydantic import Field

from cellwright.spec import AlphaSection
from cellwright.strategies.one_shot.differentiable import Differentiable


class SnasSection(AlphaSection):
    """What a spec says of it: the alphas' learning rate and the like, and a temperature."""

    implementation = "custom_strategy:Snas"

    level: Literal["single", "bilevel"] = "single"
    temperature: float = Field(default=1.0, gt=0)
    """The lower, the nearer a draw is to a single choice."""


class Snas(Differentiable):
    """SNAS: Xie et al. 2019, https://arxiv.org/abs/1812.09926. Every batch is computed with a soft random choice."""

    settings: SnasSection

    def sample(self):
        """Return a draw from the concrete distribution, with gradients; no choice is left out."""
        mixture = {}
        for group in self.space.decisions:
            exponential = torch.empty(self.alphas[group].shape).exponential_(generator=self.rng)
            gumbel = -exponential.clamp_min(1e-20).log().to(self.device)
            mixture[group] = ((self.alphas[group] + gumbel) / self.settings.temperature).softmax(dim=1)
        return mixture, None
