"""What one would build for texts by hand: convolutions of three widths, Kim 2014, https://arxiv.org/abs/1408.5882."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from cellwright.tasks.text.task import Text

SIZES = (3, 4, 5)
MOST_CHANNELS = 256
FEWEST_ROWS, PARAMS_PER_ROW = 16, 32


class TextCnn(nn.Module):
    """Embeddings of words, convolutions over 3, 4 and 5 of them, the largest value of each channel, and a head.

    Args:
        task: what it is for.
        channels: of the embeddings and of each convolution. 300 and 100 in the paper.
        rows: of the table of embeddings.
    """

    def __init__(self, task: "Text", channels: int, rows: int) -> None:
        super().__init__()
        self.adapter = task.embedded(channels, rows)
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, size, padding=size // 2) for size in SIZES)
        self.dropout = nn.Dropout(0.5)
        self.head = task.head(len(SIZES) * channels)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return outputs for raw inputs."""
        x_BCW = self.adapter(*inputs).squeeze(2)
        features = torch.cat([conv(x_BCW).relu().amax(dim=2) for conv in self.convs], dim=1)
        outputs: Tensor = self.head(self.dropout(features))
        return outputs


def cnn_size(task: "Text", params: int) -> dict[str, int]:
    """Return the channels and rows at which the network has about so many parameters."""
    rows = min(task.buckets, max(FEWEST_ROWS, 1 << (params // PARAMS_PER_ROW).bit_length()))

    def size(channels: int) -> int:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in TextCnn(task, channels, rows).parameters())

    return {
        "channels": min(range(1, MOST_CHANNELS + 1), key=lambda count: abs(size(count) - params)),
        "rows": rows,
    }
