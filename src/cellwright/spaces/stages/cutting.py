"""Cuts a part out of a network of stages, or runs it inside of the network with slices of its weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.growing import kept_blocks, split_name
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.tasks.base import Task

Tensors = Mapping[str, Tensor]


class Cutter:
    """Cuts parts out of a network, see `spaces.stages.parts`.

    Args:
        task: the task of the network.
        largest: the network's genotype.
    """

    def __init__(self, task: Task, largest: Genotype) -> None:
        self.task = task
        self._whole = Design.of(largest).canonical
        self._shapes: dict[Genotype, _Shape] = {}

    def cut(self, part: Genotype, tensors: Tensors) -> dict[str, Tensor]:
        """Return views of the network's tensors that are those of the part, by their names in the part.

        Args:
            part: genotype of the part.
            tensors: parameters and buffers of the network.
        """
        shape = self._shape(part)
        return {name: _sliced(tensors[origin], shape.sizes[name]) for name, origin in shape.origins.items()}

    def run(self, part: Genotype, network: nn.Module, inputs: Inputs) -> Tensor:
        """Return the outputs of the part in training mode, whose gradients reach the network's weights.

        The network's own statistics of norms stay as they are.
        """
        module = self._shape(part).module.train()
        parameters = self.cut(part, dict(network.named_parameters()) | dict(network.named_buffers()))
        own = {name for name, _ in module.named_parameters()}
        separate = {name: t if name in own else t.clone() for name, t in parameters.items()}
        outputs: Tensor = functional_call(module, separate, inputs)
        return outputs

    def _shape(self, part: Genotype) -> "_Shape":
        if part not in self._shapes:
            self._shapes[part] = _Shape(self.task, Design.of(part).canonical, self._whole)
        return self._shapes[part]


class _Shape:
    """A part without weights, the sizes of its tensors, and the names that these have in the whole network."""

    def __init__(self, task: Task, design: Design, whole: Design) -> None:
        with torch.device("meta"):
            self.module = StagesNetwork(task, design)
        tensors = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
        blocks = {index: index_in_whole for index_in_whole, index in kept_blocks(design, whole)}
        self.sizes = {name: tensor.shape for name, tensor in tensors.items()}
        self.origins = {name: _origin(name, blocks) for name in tensors}


def _origin(name: str, blocks: Mapping[int, int]) -> str:
    block, _, rest = split_name(name)
    return name if block is None else f"blocks.{blocks[block]}.{rest}"


def _sliced(tensor: Tensor, sizes: torch.Size) -> Tensor:
    """Return the leading outputs and inputs of a layer's tensor, and the centre of its kernel."""
    if tensor.shape == sizes:
        return tensor
    starts = [
        (of - size) // 2 if dim > 1 else 0
        for dim, (of, size) in enumerate(zip(tensor.shape, sizes, strict=True))
    ]
    return tensor[tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))]
