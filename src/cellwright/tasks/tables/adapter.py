"""From the values of a row to a feature map: each column is a position, its embedding the channels.

Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556. Everything is inside what is exported.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cellwright.results import Result
from cellwright.tasks.tables.columns import FIRST_LEVEL, NO_DATE, UNKNOWN

DAY = 86400
YEAR = 365.2425
DATE_FEATURES = 7
NUM_FREQUENCIES = 16
FREQUENCY_SPREAD = 0.3


class NumberStatistics(Result):
    """What networks know of a column of numbers, from the training split."""

    centre: float
    scale: float
    edges: tuple[float, ...]
    """Where the pieces of its piecewise-linear encoding begin and end, at least two."""


class DateStatistics(Result):
    """What networks know of a column of dates, from the training split."""

    centre: float
    """In days since 1970."""
    scale: float


class TableAdapter(nn.Module):
    """Embeds numbers (B, N), categories (B, C) and dates (B, D), those that there are, into a map (B, E, 1, N + C + D).

    A value that is missing has an embedding of its own; a category that training has not seen is embedded as zeros.
    """

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the map."""
        parts = [part(x) for part, x in zip(self.parts, inputs, strict=True)]
        return torch.cat(parts, dim=1).transpose(1, 2).unsqueeze(2)


class _Numbers(nn.Module):
    """Standardises numbers and tames outliers, then embeds each column on its own."""

    centre: Tensor
    scale: Tensor

    def __init__(self, statistics: Sequence[NumberStatistics], dimension: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor([s.centre for s in statistics]))
        self.register_buffer("scale", torch.tensor([s.scale for s in statistics]))
        self.missing = nn.Parameter(0.1 * torch.randn(len(statistics), dimension))

    def forward(self, x_BN: Tensor) -> Tensor:
        is_missing_BN1 = x_BN.isnan().unsqueeze(2)
        x_BN = torch.where(x_BN.isnan(), self.centre, x_BN)
        z_BN = (x_BN - self.centre) / self.scale
        tame_BN = z_BN / torch.sqrt(1 + (z_BN / 3) ** 2)
        return torch.where(is_missing_BN1, self.missing, self.embed(x_BN, tame_BN))

    def embed(self, x_BN: Tensor, tame_BN: Tensor) -> Tensor:
        """Return embeddings (B, N, E) of values and of their standardised form."""
        raise NotImplementedError


class PlainNumbers(_Numbers):
    """A linear embedding of each column."""

    def __init__(self, statistics: Sequence[NumberStatistics], dimension: int) -> None:
        super().__init__(statistics, dimension)
        self.weight = nn.Parameter(_uniform(len(statistics), dimension, fan=1))
        self.bias = nn.Parameter(_uniform(len(statistics), dimension, fan=1))

    def embed(self, x_BN: Tensor, tame_BN: Tensor) -> Tensor:
        """Return the embeddings."""
        return tame_BN.unsqueeze(2) * self.weight + self.bias


class PiecewiseNumbers(PlainNumbers):
    """A linear embedding, and what each piece of the column's range adds to it."""

    low: Tensor
    share: Tensor

    def __init__(self, statistics: Sequence[NumberStatistics], dimension: int) -> None:
        super().__init__(statistics, dimension)
        most = max(len(s.edges) for s in statistics)
        pieces = [_padded(list(itertools.pairwise(s.edges)), most - 1) for s in statistics]
        self.register_buffer("low", torch.tensor([[low for low, _ in row] for row in pieces]))
        self.register_buffer("share", torch.tensor([[share for _, share in row] for row in pieces]))
        self.pieces = nn.Parameter(torch.zeros(len(statistics), most - 1, dimension))

    def embed(self, x_BN: Tensor, tame_BN: Tensor) -> Tensor:
        """Return the embeddings."""
        filled_BNK = ((x_BN.unsqueeze(2) - self.low) * self.share).clamp(0, 1)
        pieces_BNE = torch.einsum("bnk,nke->bne", filled_BNK, self.pieces)
        return super().embed(x_BN, tame_BN) + pieces_BNE


class PeriodicNumbers(_Numbers):
    """Sines and cosines of learnt frequencies, and a linear layer with a ReLU for each column."""

    def __init__(self, statistics: Sequence[NumberStatistics], dimension: int) -> None:
        super().__init__(statistics, dimension)
        count = len(statistics)
        self.frequencies = nn.Parameter(FREQUENCY_SPREAD * torch.randn(count, NUM_FREQUENCIES))
        self.weight = nn.Parameter(
            _uniform(count, 2 * NUM_FREQUENCIES + 1, dimension, fan=2 * NUM_FREQUENCIES)
        )
        self.bias = nn.Parameter(torch.zeros(count, dimension))

    def embed(self, x_BN: Tensor, tame_BN: Tensor) -> Tensor:
        """Return the embeddings."""
        tame_BN1 = tame_BN.unsqueeze(2)
        angles = 2 * math.pi * tame_BN1 * self.frequencies
        waves = torch.cat((angles.sin(), angles.cos(), tame_BN1), dim=2)
        return torch.einsum("bnw,nwe->bne", waves, self.weight).add(self.bias).relu()


class Categories(nn.Module):
    """An embedding of each level of each column."""

    first: Tensor
    most: Tensor

    def __init__(self, num_levels: Sequence[int], dimension: int) -> None:
        super().__init__()
        sizes = [FIRST_LEVEL + count for count in num_levels]
        *first, total = itertools.accumulate(sizes, initial=0)
        self.register_buffer("first", torch.tensor(first))
        self.register_buffer("most", torch.tensor(sizes) - 1)
        self.embedding = nn.Embedding(total, dimension)
        nn.init.normal_(self.embedding.weight, std=0.5)

    def forward(self, codes_BC: Tensor) -> Tensor:
        """Return embeddings (B, C, E)."""
        is_known_BC = (codes_BC > UNKNOWN) & (codes_BC <= self.most)
        rows_BC = torch.where(is_known_BC, codes_BC, 0) + self.first
        return self.embedding(rows_BC) * is_known_BC.unsqueeze(2)  # type: ignore[no-any-return]


class Dates(nn.Module):
    """Embeds dates by how late they are, and by the time of the year, of the week and of the day."""

    centre: Tensor
    scale: Tensor

    def __init__(self, statistics: Sequence[DateStatistics], dimension: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor([s.centre for s in statistics]))
        self.register_buffer("scale", torch.tensor([s.scale for s in statistics]))
        self.weight = nn.Parameter(_uniform(len(statistics), DATE_FEATURES, dimension, fan=DATE_FEATURES))
        self.missing = nn.Parameter(0.1 * torch.randn(len(statistics), dimension))

    def forward(self, seconds_BD: Tensor) -> Tensor:
        """Return embeddings (B, D, E)."""
        is_missing_BD = seconds_BD == NO_DATE
        seconds_BD = torch.where(is_missing_BD, 0, seconds_BD)
        whole_BD = torch.div(seconds_BD, DAY, rounding_mode="floor")
        of_day_BD = (seconds_BD - whole_BD * DAY).float() / DAY
        days_BD = whole_BD.float()
        late_BD = ((days_BD - self.centre) / self.scale).clamp(-3, 3)
        of_week_BD = (whole_BD - 7 * torch.div(whole_BD, 7, rounding_mode="floor")).float() / 7
        turns = 2 * math.pi * torch.stack((days_BD / YEAR, of_week_BD, of_day_BD), dim=2)
        features = torch.cat((late_BD.unsqueeze(2), turns.sin(), turns.cos()), dim=2)
        embedded = torch.einsum("bdf,dfe->bde", features, self.weight)
        return torch.where(is_missing_BD.unsqueeze(2), self.missing, embedded)


NUMBERS: dict[str, type[_Numbers]] = {
    "piecewise": PiecewiseNumbers,
    "periodic": PeriodicNumbers,
    "plain": PlainNumbers,
}
"""How numbers are embedded, the first by default."""


def blank(x: Tensor, missing: float, chance: float, rng: torch.Generator) -> Tensor:
    """Return values, each of which is replaced by what stands for a missing one with that chance."""
    drawn = torch.rand(x.shape, generator=rng, device=rng.device) < chance
    return torch.where(drawn, torch.tensor(missing, dtype=x.dtype, device=x.device), x)


def _padded(pieces: list[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    """Return where each piece begins and by what a distance from there is multiplied; those added are never filled."""
    return [(low, 1 / (high - low)) for low, high in pieces] + [(0.0, 0.0)] * (count - len(pieces))


def _uniform(*shape: int, fan: int) -> Tensor:
    return torch.empty(shape).uniform_(-1, 1) / math.sqrt(fan)
