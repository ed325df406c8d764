"""Reinforcement learning of a policy: Williams 1992; for architectures Zoph & Le 2017, https://arxiv.org/abs/1611.01578."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Objective
from cellwright.spaces import CandidateSpace
from cellwright.spec.strategy import SampledSection
from cellwright.strategies.sampled.base import SampledStrategy
from cellwright.strategies.sampled.fold import Fold

Array = NDArray[np.float64]


class ReinforceSection(SampledSection):
    """A policy trained by REINFORCE: https://arxiv.org/abs/1611.01578, without the recurrent network."""

    implementation = "cellwright.strategies.sampled.reinforce:Reinforce"

    kind: Literal["reinforce"]
    learning_rate: float = Field(default=0.3, gt=0)
    """Learning rate of the policy's logits, for a reward of one standard deviation."""
    baseline_decay: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the moving average of scores, which is the baseline."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The state of the policy after some evaluations."""

    logits: Mapping[str, Array]
    """Logits of each choice, (decisions, choices) for each group."""
    mean: float = 0.0
    """Moving average of the scores, which is the baseline."""
    variance: float = 0.0
    """Moving variance of the scores about the baseline."""
    count: int = 0


class Reinforce(SampledStrategy):
    """Draws each choice from a policy, whose logits follow the gradient of the expected score.

    If not every decision is kept, as in cells whose nodes read two edges, the strongest are kept: Gumbel noise on the
    logits makes this a draw without replacement.
    """

    settings: ReinforceSection

    def __init__(
        self, settings: ReinforceSection, space: CandidateSpace, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        super().__init__(settings, space, objectives, seed=seed)
        undecided = Policy({group: np.zeros(sizes) for group, sizes in space.decisions.items()})
        self._fold = Fold(undecided, self._reward)

    @property
    def policy(self) -> Policy:
        """Return the policy after all finished evaluations."""
        return self._fold.over(self)

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Draw a candidate from the policy, which is flattened further the more draws were already known."""
        flatness = 1 + attempt / 5
        noise = np.random.default_rng(rng.getrandbits(64))
        return self.space.derive(
            {
                group: (logits / flatness + noise.gumbel(size=logits.shape)).tolist()
                for group, logits in self.policy.logits.items()
            }
        )

    def _reward(self, policy: Policy, evaluation: Evaluation) -> Policy:
        """Return the policy after one more evaluation, whose reward is its score minus the baseline."""
        score = self.score(evaluation)
        share = max(1 - self.settings.baseline_decay, 1 / (policy.count + 1))
        surprise = score - policy.mean
        variance = (1 - share) * (policy.variance + share * surprise**2)
        advantage = np.clip(surprise / np.sqrt(policy.variance), -2, 2) if policy.variance > 0 else 0.0
        step = self.settings.learning_rate * float(advantage)
        choices = self.space.choices(evaluation.candidate)
        logits = {
            group: rows
            + step * _log_probability_gradient(rows, choices[group], self.space.sum_indices[group])
            for group, rows in policy.logits.items()
        }
        return Policy(logits, policy.mean + share * surprise, variance, policy.count + 1)


def _log_probability_gradient(
    logits: Array, choices: Sequence[int | None], sum_indices: Sequence[int]
) -> Array:
    """Return the gradient of the log-probability of these choices.

    For decisions of which only some are kept, it is approximated by draws with replacement. This is exact if one or all
    are kept, and if the policy is certain.
    """
    peaks = logits.max(axis=1, keepdims=True)
    powers = np.exp(logits - peaks)
    shares = powers / powers.sum(axis=1, keepdims=True)
    kept = np.array([choice is not None for choice in choices])
    gradient = np.where(kept[:, None], -shares, 0.0)
    for decision, choice in enumerate(choices):
        if choice is not None:
            gradient[decision, choice] += 1.0
    if not kept.all():
        totals = (peaks + np.log(powers.sum(axis=1, keepdims=True))).ravel()
        gradient += (kept - _expected(totals, kept, np.asarray(sum_indices)))[:, None] * shares
    return gradient


def _expected(totals: Array, kept: NDArray[np.bool_], sum_indices: NDArray[np.int_]) -> Array:
    """Return how often each decision is expected to be kept, given its strength among those that share a sum."""
    expected = np.zeros(len(totals))
    for meeting in np.unique(sum_indices):
        here = sum_indices == meeting
        powers = np.exp(totals[here] - totals[here].max())
        expected[here] = np.minimum(1.0, kept[here].sum() * powers / powers.sum())
    return expected
