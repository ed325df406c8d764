"""Architecture parameters: what they say, and the genotype they stand for."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cellwright.genotype import Cell, Edge, Genotype, Node
from cellwright.spaces import Darts
from cellwright.spaces._darts import EDGES_PER_NODE, NUM_INPUTS

Alphas = Mapping[str, nn.Parameter]
"""For each kind of cell, (edges, primitives)."""


def initial_alphas(space: Darts, rng: torch.Generator, device: torch.device) -> dict[str, nn.Parameter]:
    """Return alphas near zero, so that all primitives begin alike."""
    shape = (len(space.edges), len(space.primitives))
    return {
        kind: nn.Parameter((1e-3 * torch.randn(shape, generator=rng)).to(device)) for kind in space.cell_kinds
    }


def derive_by_argmax(space: Darts, probabilities: Mapping[str, Tensor]) -> Genotype:
    """Keep at each node the two edges with the likeliest primitives, as DARTS does."""
    cells = {
        kind: Cell(num_inputs=NUM_INPUTS, nodes=_strongest(space, probabilities[kind].detach().cpu()))
        for kind in space.cell_kinds
    }
    return Genotype(space=space.name, cells=cells)


def _strongest(space: Darts, probabilities_EP: Tensor) -> tuple[Node, ...]:
    best = probabilities_EP.max(dim=1)
    strength, choice = best.values.tolist(), best.indices.tolist()
    nodes: list[Node] = []
    for node in range(space.num_nodes):
        incoming = [edge for edge, (_, end) in enumerate(space.edges) if end == node]
        kept = sorted(incoming, key=lambda edge: -strength[edge])[:EDGES_PER_NODE]
        nodes.append(tuple(Edge(space.edges[e][0], space.primitives[choice[e]]) for e in kept))
    return tuple(nodes)


def relative_entropy(probabilities: Mapping[str, Tensor]) -> float:
    """Return the mean entropy of the edges' choices: 1 when all primitives are alike, 0 when all are decided."""
    rows = torch.cat([p.detach() for p in probabilities.values()])
    entropy = -(rows * rows.clamp_min(1e-12).log()).sum(dim=1) / torch.tensor(rows.shape[1]).log()
    return entropy.mean().item()


def skip_fraction(genotype: Genotype) -> float:
    """Return the share of edges that merely pass their source on; above 0.8 a search has collapsed."""
    chosen = [edge.primitive for cell in genotype.cells.values() for node in cell.nodes for edge in node]
    return chosen.count("skip_connect") / len(chosen)
