"""What one would build for a table by hand: a residual network on plainly embedded columns."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from cellwright.tasks.tables.task import Table

BLOCKS = 2
MOST_WIDTH = 1024


class Mlp(nn.Module):
    """Gorishniy et al. 2021, https://arxiv.org/abs/2106.11959: linear layers with skips around pairs of them."""

    def __init__(self, task: "Table", width: int) -> None:
        super().__init__()
        channels, _, num_columns = task.map_shape
        self.adapter = task.embedding("plain")
        self.first = nn.Linear(channels * num_columns, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(BLOCKS)
        )
        self.last = nn.Sequential(nn.LayerNorm(width), nn.ReLU())
        self.head = task.head(width)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return outputs for raw inputs."""
        x_BW = self.first(self.adapter(*inputs).flatten(1))
        for block in self.blocks:
            x_BW = x_BW + block(x_BW)
        outputs: Tensor = self.head(self.last(x_BW))
        return outputs


def mlp_width(task: "Table", params: int) -> int:
    """Return the width at which the network has about so many parameters."""

    def size(width: int) -> int:
        return sum(p.numel() for p in Mlp(task, width).parameters())

    low, high = 2, MOST_WIDTH
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if size(middle) < params else (low, middle)
    return min((max(2, low - 1), low), key=lambda width: abs(size(width) - params))
