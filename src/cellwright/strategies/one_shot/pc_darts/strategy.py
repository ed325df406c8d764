"""PC-DARTS: Xu et al. 2020, https://arxiv.org/abs/1907.05737."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cellwright.spaces.supernet import Mixture
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.strategies.one_shot.pc_darts.section import PcDartsSection


class PcDarts(Differentiable):
    """DARTS with partial channels, and a second softmax over the decisions that share a sum.

    This edge normalisation compensates for the noise that partial channels add to the alphas.
    """

    settings: PcDartsSection

    def initial_alphas(self) -> dict[str, nn.Parameter]:
        """Return the alphas of choices, and those of edges, which start at 0."""
        decisions = {
            _edges(group): nn.Parameter(torch.zeros(count, device=self.device))
            for group, (count, _) in self.space.decisions.items()
        }
        return super().initial_alphas() | decisions

    def mixture(self) -> Mixture:
        """Return the softmax over each decision's choices, multiplied by the decision's edge normalisation."""
        return {
            group: rows * _softmax_within(self.alphas[_edges(group)], self.space.sum_indices[group])[:, None]
            for group, rows in self.probabilities().items()
        }


def _edges(group: str) -> str:
    return f"{group}/edges"


def _softmax_within(alphas_E: Tensor, sum_indices: Sequence[int]) -> Tensor:
    """Return the softmax over each set of entries with the same index."""
    indices = torch.tensor(list(sum_indices), device=alphas_E.device)
    exponentials = (alphas_E - alphas_E.max()).exp()
    totals = torch.zeros_like(exponentials).index_add(0, indices, exponentials)
    return exponentials / totals[indices]
