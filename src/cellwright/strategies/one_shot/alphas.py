"""Architecture parameters, and metrics of a search that are computed from them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cellwright.genotype import Genotype
from cellwright.spaces import Space


def initial_alphas(space: Space, rng: torch.Generator, device: torch.device) -> dict[str, nn.Parameter]:
    """Return alphas (decisions, choices) for each group, near zero, so that all choices start equally likely."""
    return {
        group: nn.Parameter((1e-3 * torch.randn(shape, generator=rng)).to(device))
        for group, shape in space.decisions.items()
    }


def derive_by_argmax(space: Space, strengths: Mapping[str, Tensor]) -> Genotype:
    """Return the genotype with the strongest choices."""
    return space.derive({group: rows.tolist() for group, rows in strengths.items()})


def smooth_maximum(alphas: Sequence[Tensor]) -> Tensor:
    """Return the mean log-sum-exp of the decisions' alphas, summed over groups: equation 15 of β-DARTS."""
    return torch.stack([alpha.logsumexp(dim=1).mean() for alpha in alphas]).sum()


def skip_fraction(genotype: Genotype) -> float:
    """Return the fraction of edges that are skips; above 0.8, the search has collapsed."""
    chosen = [edge.primitive for cell in genotype.cells.values() for node in cell.nodes for edge in node]
    return chosen.count("skip_connect") / len(chosen)


@contextmanager
def frozen(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Disable gradients of the weights inside the block."""
    for weight in weights:
        weight.requires_grad = False
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad = True
