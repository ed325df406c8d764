"""How networks get from their last feature map to outputs. Spaces call `read_out`."""

from collections.abc import Sequence

from torch import Tensor, nn

from cellwright.nn.slimming import Slimmable


class MapHead(nn.Module):
    """A head that reads the feature map (B, C, H, W) and the raw inputs; other heads read the map's mean (B, C)."""


def reads_map(head: nn.Module) -> bool:
    """Return whether a head, which may be slimmable, is a `MapHead`."""
    return isinstance(head.widest if isinstance(head, Slimmable) else head, MapHead)


def read_out(head: nn.Module, x_BCHW: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """Return the outputs of a head for the last feature map and the raw inputs of a network."""
    outputs: Tensor = head(x_BCHW, *inputs) if reads_map(head) else head(x_BCHW.mean(dim=(2, 3)))
    return outputs
