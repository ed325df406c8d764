"""A feature map that several edges of a cell read."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from cellwright.nn.primitives import Primitive


class Feature:
    """A feature map, and results that several edges share, each computed on first use."""

    def __init__(self, x_BCHW: Tensor) -> None:
        self.x_BCHW = x_BCHW
        self.wide: Mapping[Primitive, Tensor] = {}
        """Outputs that were computed as parts of a wide primitive."""
        self._outputs: dict[str, Tensor] = {}

    @cached_property
    def rectified(self) -> Tensor:
        """Return its ReLU."""
        return torch.relu(self.x_BCHW)

    def read_by(self, primitive: Primitive) -> Tensor:
        """Return the input of the primitive."""
        return self.rectified if primitive.reads_relu else self.x_BCHW

    def apply(self, name: str, primitive: Primitive) -> Tensor:
        """Return the output of the primitive with this name. Primitives without weights are computed only once."""
        if name in self._outputs:
            return self._outputs[name]
        if primitive in self.wide:
            return self.wide[primitive]
        output: Tensor = primitive(self.read_by(primitive))
        if not primitive.has_weights:
            self._outputs[name] = output
        return output


def concatenated(features: Sequence[Feature]) -> Tensor:
    """Return the maps, concatenated along the channels."""
    return torch.cat([feature.x_BCHW for feature in features], dim=1)


def rectified(features: Sequence[Feature]) -> Tensor:
    """Return the ReLU of all maps, concatenated along the channels. Reuses results that edges have computed."""
    return torch.cat([feature.rectified for feature in features], dim=1)
