"""The DARTS cell as the paper writes it: each edge computes every primitive on its own."""

from torch import Tensor, cat, nn, relu

from cellwright.spaces.darts.supernet import MixedCell


def textbook_cell(cell: MixedCell, inputs: list[Tensor], mixture_EP: Tensor) -> Tensor:
    """Compute what the cell computes, with its weights, and nothing shared between edges."""
    sources = list(inputs)
    for node in range(cell.num_nodes):
        total = 0
        for edge, (source, end) in enumerate(cell.edges):
            if end == node:
                for index, name in enumerate(cell.primitives):
                    primitive = _primitive(cell, edge, source, name)
                    x = sources[source]
                    output = primitive(relu(x) if primitive.reads_relu else x)
                    total = total + mixture_EP[edge, index] * output
        sources.append(total)
    return cat(sources[len(inputs) :], dim=1)


def _primitive(cell: MixedCell, edge: int, source: int, name: str) -> nn.Module:
    learning = cell.on_edges[edge]
    return learning[name] if name in learning else cell.on_sources[f"{source}-{name}"]
