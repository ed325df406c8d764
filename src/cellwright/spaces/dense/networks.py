"""Dense networks and their supernet.

The members of an ensemble share all weights except for a scale of each input and the last layer: TabM-mini, Gorishniy
et al. 2025, https://arxiv.org/abs/2410.24210. In training, outputs are those of the members, (B, M, …). In evaluation,
the task combines them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data.split import Inputs
from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.nn.dropping import Droppable
from cellwright.spaces.dense.section import DenseSection
from cellwright.spaces.dense.space import Dense
from cellwright.spaces.networks import Networks
from cellwright.spaces.sequence import SKIP
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.tasks.base import Task


class Linear(nn.Linear):
    """A linear layer that can run at a smaller width."""

    def forward(self, x: Tensor, width: int | None = None) -> Tensor:
        """Return the first `width` outputs; the input may be narrower than the layer's."""
        return functional.linear(x, self.weight[:width, : x.shape[-1]], self.bias[:width])


class LayerNorm(nn.LayerNorm):
    """Layer normalisation that can run at a smaller width."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised features."""
        width = x.shape[-1]
        return functional.layer_norm(x, (width,), self.weight[:width], self.bias[:width], self.eps)


class Plain(nn.Module):
    """A linear layer and a ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = Linear(width, width)

    def forward(self, x: Tensor, kept_BM: Tensor | None = None) -> Tensor:
        """Return features (B, M, W) of the same shape."""
        return functional.relu(self.linear(x, x.shape[-1]))


class Residual(nn.Module):
    """A residual branch with a norm and two linear layers: Gorishniy et al. 2021, https://arxiv.org/abs/2106.11959."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.first, self.second = LayerNorm(width), Linear(width, width), Linear(width, width)

    def forward(self, x: Tensor, kept_BM: Tensor | None = None) -> Tensor:
        """Return features (B, M, W) of the same shape."""
        width = x.shape[-1]
        added: Tensor = self.second(self.hidden(self.norm(x), width), width)
        if kept_BM is not None:
            added = added * kept_BM.unsqueeze(2).to(added.dtype)
        return x + added

    def hidden(self, x: Tensor, width: int) -> Tensor:
        """Return the hidden features between the two linear layers."""
        hidden: Tensor = functional.relu(self.first(x, width))
        return hidden


class Gated(Residual):
    """A residual branch with a gate: Shazeer 2020, https://arxiv.org/abs/2002.05202."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.gate = Linear(width, width)

    def hidden(self, x: Tensor, width: int) -> Tensor:
        """Return the hidden features between the two linear layers."""
        gate: Tensor = functional.silu(self.gate(x, width))
        hidden: Tensor = gate * self.first(x, width)
        return hidden


BLOCKS: Mapping[str, type[nn.Module]] = {"plain": Plain, "residual": Residual, "gated": Gated}


class First(nn.Module):
    """Maps inputs to features for each member: member-specific scales, then a shared linear layer."""

    def __init__(self, num_features: int, width: int, members: int) -> None:
        super().__init__()
        signs = torch.randint(2, (members, num_features)) * 2.0 - 1
        self.scale = nn.Parameter(signs if members > 1 else torch.ones(members, num_features))
        self.linear = Linear(num_features, width)

    def forward(self, x_BCHW: Tensor, width: int) -> Tensor:
        """Return features (B, M, W)."""
        return functional.relu(self.linear(x_BCHW.flatten(1).unsqueeze(1) * self.scale, width))


class Heads(nn.Module):
    """One head for each member."""

    def __init__(self, task: Task, width: int, members: int) -> None:
        super().__init__()
        self.task = task
        self.norm = LayerNorm(width)
        self.heads = nn.ModuleList(task.head(width) for _ in range(members))

    def forward(self, x_BMW: Tensor) -> Tensor:
        """Return the members' outputs in training, and their combination in evaluation."""
        features = self.norm(x_BMW).unbind(1)
        outputs = torch.stack([head(x_BW) for head, x_BW in zip(self.heads, features, strict=True)], dim=1)
        return outputs if self.training else self.task.combine(outputs)


class DenseNetwork(Droppable):
    """A genotype's network, from raw inputs to outputs, with drop path on its residual blocks.

    Args:
        task: the task of the network.
        section: the space with its size.
        genotype: the architecture.
    """

    def __init__(self, task: Task, section: DenseSection, genotype: Genotype) -> None:
        super().__init__()
        space, channels, members = Dense.of(section), section.channels, section.members
        taken = space.taken(genotype)
        (embedding,), (width,) = taken[space.EMBEDDING], taken[space.WIDTH]
        self.members, self.width = members, _units(channels, space.widths[width])
        self.adapter = task.embedding(space.embeddings[embedding])
        self.first = First(_num_features(task), self.width, members)
        names = [space.blocks[choice] for choice in taken[space.BLOCK]]
        self.layers = nn.ModuleDict(
            {str(layer): BLOCKS[name](self.width) for layer, name in enumerate(names) if name != SKIP}
        )
        self.last = Heads(task, self.width, members)

    @property
    def num_paths(self) -> int:
        """Return the number of blocks, multiplied by the number of members."""
        return len(self.layers) * self.members

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return the outputs for raw inputs."""
        x_BMW = self.first(self.adapter(*inputs), self.width)
        kept_LBM = (
            None if kept_PB is None else kept_PB.view(-1, self.members, kept_PB.shape[1]).transpose(1, 2)
        )
        for layer, block in enumerate(self.layers.values()):
            x_BMW = block(x_BMW, None if kept_LBM is None else kept_LBM[layer])
        outputs: Tensor = self.last(x_BMW)
        return outputs


class DenseSupernet(Supernet):
    """All dense networks in one. Narrower ones use the leading units, and each width has its own heads.

    Args:
        task: the task of the networks.
        section: the space with its size.
    """

    def __init__(self, task: Task, section: DenseSection) -> None:
        super().__init__()
        _require_embeddings(section, task)
        self.task, self.section = task, section
        self.space: Dense = Dense.of(section)
        self.units = [_units(section.channels, width) for width in section.widths]
        widest = max(self.units)
        self.adapters = nn.ModuleDict({name: task.embedding(name) for name in section.embeddings})
        self.first = First(_num_features(task), widest, section.members)
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: BLOCKS[name](widest) for name in section.blocks if name != SKIP})
            for _ in range(section.num_layers)
        )
        self.lasts = nn.ModuleList(Heads(task, units, section.members) for units in self.units)

    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return the outputs for raw inputs. Computes only the active choices; by default, all."""
        space = self.space
        chosen: Active = active or {
            group: [range(num_choices)] * num_decisions
            for group, (num_decisions, num_choices) in space.decisions.items()
        }
        embedded = [
            mixture[space.EMBEDDING][0, choice] * self.adapters[space.embeddings[choice]](*inputs)
            for choice in chosen[space.EMBEDDING][0]
        ]
        x_BCHW = sum(embedded[1:], embedded[0])
        outputs = [
            mixture[space.WIDTH][0, choice] * self._at_width(x_BCHW, choice, mixture, chosen)
            for choice in chosen[space.WIDTH][0]
        ]
        return sum(outputs[1:], outputs[0])

    def _at_width(self, x_BCHW: Tensor, width: int, mixture: Mixture, active: Active) -> Tensor:
        space = self.space
        x_BMW = self.first(x_BCHW, self.units[width])
        for layer, choices in enumerate(active[space.BLOCK]):
            terms = [
                mixture[space.BLOCK][layer, choice] * self._block(layer, space.blocks[choice], x_BMW)
                for choice in choices
            ]
            x_BMW = sum(terms[1:], terms[0])
        outputs: Tensor = self.lasts[width](x_BMW)
        return outputs

    def _block(self, layer: int, name: str, x_BMW: Tensor) -> Tensor:
        if name == SKIP:
            return x_BMW
        features: Tensor = self.layers[layer][name](x_BMW)  # type: ignore[index]
        return features

    def network(self, genotype: Genotype) -> DenseNetwork:
        """Return the genotype's network, with initial weights."""
        return DenseNetwork(self.task, self.section, genotype)

    def origins(self, genotype: Genotype) -> Mapping[str, str]:
        """Map prefixes of names in the network's state dict to the supernet's, where they differ."""
        taken = self.space.taken(genotype)
        (embedding,), (width,) = taken[self.space.EMBEDDING], taken[self.space.WIDTH]
        blocks = enumerate(self.space.blocks[choice] for choice in taken[self.space.BLOCK])
        return {
            "adapter.": f"adapters.{self.space.embeddings[embedding]}.",
            "last.": f"lasts.{width}.",
            **{f"layers.{layer}.": f"layers.{layer}.{name}." for layer, name in blocks},
        }


class DenseNetworks(Networks):
    """Builds the supernet and dense networks at the section's size."""

    def supernet(self, section: DenseSection, task: Task, *, channel_fraction: float) -> DenseSupernet:
        """Return the supernet."""
        return DenseSupernet(task, section)

    def network(self, section: DenseSection, task: Task, genotype: Genotype) -> DenseNetwork:
        """Return the network of a genotype."""
        _require_embeddings(section, task)
        return DenseNetwork(task, section, genotype)


def _require_embeddings(section: DenseSection, task: Task) -> None:
    if unknown := set(section.embeddings) - set(task.embeddings):
        raise CellwrightError(
            f"space.embeddings must be among {', '.join(task.embeddings)} for {task.kind}, got {min(unknown)}"
        )


def _units(channels: int, percent: int) -> int:
    return max(2, round(channels * percent / 100))


def _num_features(task: Task) -> int:
    channels, height, width = task.map_shape
    return channels * height * width
