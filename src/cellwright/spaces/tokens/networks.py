"""Networks on words, and the supernet of all of them.

Positions of a map are words in a row; where all channels are 0, there is none. The sum over all positions always goes
to the head, so that a network is never less than a bag of words; what layers add goes there beside it. If all layers
are skipped, the network is a bag of words.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.nn.dropping import Droppable
from cellwright.spaces.networks import Networks
from cellwright.spaces.sequence import SKIP
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.spaces.tokens.section import TokensSection
from cellwright.spaces.tokens.space import Tokens
from cellwright.tasks.base import Task

NOTHING = -1e4
"""What an absent word counts where the largest value is taken."""


class TokenLayer(nn.Module):
    """What a norm and an operation add to words in a row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BWC: Tensor, mask_BW1: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return features (B, W, C) of the same; of examples that are not kept, those that came."""
        added_BWC = self.operation(self.norm(x_BWC) * mask_BW1, mask_BW1) * mask_BW1
        if kept_B is not None:
            added_BWC = added_BWC * kept_B[:, None, None].to(added_BWC.dtype)
        return x_BWC + added_BWC

    def operation(self, x_BWC: Tensor, mask_BW1: Tensor) -> Tensor:
        """Return what is added; absent words are 0 in what comes, and need not be in what is returned."""
        raise NotImplementedError


class TokenConvolution(TokenLayer):
    """A convolution over some words, and a ReLU."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width)
        self.conv = nn.Conv1d(width, width, size, padding=size // 2)

    def operation(self, x_BWC: Tensor, mask_BW1: Tensor) -> Tensor:
        """Return the convolution of each word and those around it."""
        return functional.relu(self.conv(x_BWC.transpose(1, 2))).transpose(1, 2)


class MaxPooling(TokenLayer):
    """The largest value of a word and those beside it."""

    def operation(self, x_BWC: Tensor, mask_BW1: Tensor) -> Tensor:
        """Return the largest value of three words."""
        return functional.max_pool1d(x_BWC.transpose(1, 2), 3, stride=1, padding=1).transpose(1, 2)


class Attention(TokenLayer):
    """Attention of one head to all words: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.asked, self.keys, self.values, self.last = (nn.Linear(width, width) for _ in range(4))

    def operation(self, x_BWC: Tensor, mask_BW1: Tensor) -> Tensor:
        """Return what each word finds in all others."""
        scores_BWW = self.asked(x_BWC) @ self.keys(x_BWC).transpose(1, 2) * x_BWC.shape[2] ** -0.5
        scores_BWW = scores_BWW + (1 - mask_BW1.transpose(1, 2)) * NOTHING
        found: Tensor = self.last(scores_BWW.softmax(dim=2) @ self.values(x_BWC))
        return found


def build_layer(name: str, width: int) -> TokenLayer:
    """Return a layer by the name that genotypes have for it."""
    if name == "attention":
        return Attention(width)
    return MaxPooling(width) if name == "max3" else TokenConvolution(width, int(name.removeprefix("conv")))


class TokenLayers(nn.Module):
    """Layers of one width on words in a row; which of them there are is up to who builds it.

    Args:
        task: what it is for.
        width: channels.
        names: for each layer, what it may be.
    """

    def __init__(self, task: Task, width: int, names: list[tuple[str, ...]]) -> None:
        super().__init__()
        channels, _, _ = task.map_shape
        self.first = nn.Linear(channels, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: build_layer(name, width) for name in of_layer if name != SKIP})
            for of_layer in names
        )
        self.norm = nn.LayerNorm(width)
        self.head = task.head(channels + width)

    def begin(self, x_BWE: Tensor, mask_BW1: Tensor) -> Tensor:
        """Return features (B, W, C) of words."""
        features: Tensor = self.first(x_BWE) * mask_BW1
        return features

    def layer(
        self, index: int, name: str, x_BWC: Tensor, mask_BW1: Tensor, kept_B: Tensor | None = None
    ) -> Tensor:
        """Return features of the same form after one of the operations of a layer."""
        if name == SKIP:
            return x_BWC
        features: Tensor = self.layers[index][name](x_BWC, mask_BW1, kept_B)  # type: ignore[index]
        return features

    def end(self, x_BWE: Tensor, added_BWC: Tensor, mask_BW1: Tensor) -> Tensor:
        """Return outputs from the sum of all words and the largest of what layers have added."""
        largest_BC = (self.norm(added_BWC) + (1 - mask_BW1) * NOTHING).amax(dim=1) * mask_BW1.amax(dim=1)
        outputs: Tensor = self.head(torch.cat((x_BWE.sum(dim=1), largest_BC), dim=1))
        return outputs


def token_sequence(x_BEHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return the positions of a map in a row (B, W, E), and as 1 and 0 where there is a word (B, W, 1)."""
    x_BWE = x_BEHW.flatten(2).transpose(1, 2)
    return x_BWE, (x_BWE.abs().amax(dim=2, keepdim=True) > 0).to(x_BWE.dtype)


class TokenNetwork(Droppable):
    """A genotype's network, from raw inputs to outputs; its layers can be dropped."""

    def __init__(self, task: Task, section: TokensSection, genotype: Genotype) -> None:
        super().__init__()
        space = Tokens.of(section)
        taken = space.taken(genotype)
        (width,) = taken[space.WIDTH]
        names = [space.layers[choice] for choice in taken[space.LAYER]]
        self.adapter = task.adapter()
        self.row = TokenLayers(task, _channels(section, space.widths[width]), [(name,) for name in names])
        self.names = [(index, name) for index, name in enumerate(names) if name != SKIP]

    @property
    def num_paths(self) -> int:
        """Return the number of layers."""
        return len(self.names)

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return outputs for raw inputs."""
        x_BWE, mask_BW1 = token_sequence(self.adapter(*inputs))
        first_BWC = x_BWC = self.row.begin(x_BWE, mask_BW1)
        for path, (index, name) in enumerate(self.names):
            kept_B = None if kept_PB is None else kept_PB[path]
            x_BWC = self.row.layer(index, name, x_BWC, mask_BW1, kept_B)
        return self.row.end(x_BWE, x_BWC - first_BWC, mask_BW1)


class TokenSupernet(Supernet):
    """All networks on words in one, with a row of layers for each width.

    Args:
        task: what the networks are for.
        section: the space at its size.
    """

    def __init__(self, task: Task, section: TokensSection) -> None:
        super().__init__()
        self.task, self.section = task, section
        self.space: Tokens = Tokens.of(section)
        self.adapter = task.adapter()
        self.rows = nn.ModuleList(
            TokenLayers(task, _channels(section, width), [section.layers] * section.num_layers)
            for width in section.widths
        )

    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return outputs for raw inputs, computing what is active alone; by default everything."""
        space = self.space
        chosen: Active = active or {
            group: [range(num_choices)] * num_decisions
            for group, (num_decisions, num_choices) in space.decisions.items()
        }
        x_BWE, mask_BW1 = token_sequence(self.adapter(*inputs))
        outputs = [
            mixture[space.WIDTH][0, choice] * self._layers(choice, x_BWE, mask_BW1, mixture, chosen)
            for choice in chosen[space.WIDTH][0]
        ]
        return sum(outputs[1:], outputs[0])

    def _layers(
        self, width: int, x_BWE: Tensor, mask_BW1: Tensor, mixture: Mixture, active: Active
    ) -> Tensor:
        space = self.space
        row: TokenLayers = self.rows[width]  # type: ignore[assignment]
        first_BWC = x_BWC = row.begin(x_BWE, mask_BW1)
        for index, choices in enumerate(active[space.LAYER]):
            terms = []
            for choice in choices:
                name = space.layers[choice]
                features = row.layer(index, name, x_BWC, mask_BW1)
                terms.append(mixture[space.LAYER][index, choice] * features)
            x_BWC = sum(terms[1:], terms[0])
        return row.end(x_BWE, x_BWC - first_BWC, mask_BW1)

    def network(self, genotype: Genotype) -> TokenNetwork:
        """Return the genotype's network, with new weights."""
        return TokenNetwork(self.task, self.section, genotype)

    def origins(self, genotype: Genotype) -> Mapping[str, str]:
        """Return how names in the network's state dict begin and how here, where they differ."""
        (width,) = self.space.taken(genotype)[self.space.WIDTH]
        return {"row.": f"rows.{width}."}


class TokenNetworks(Networks):
    """Networks on words at the size that the section says."""

    def supernet(self, section: TokensSection, task: Task, *, channel_fraction: float) -> TokenSupernet:
        """Return the supernet."""
        return TokenSupernet(task, section)

    def network(self, section: TokensSection, task: Task, genotype: Genotype) -> TokenNetwork:
        """Return the network of a genotype."""
        return TokenNetwork(task, section, genotype)


def _channels(section: TokensSection, percent: int) -> int:
    return max(2, round(section.channels * percent / 100))
