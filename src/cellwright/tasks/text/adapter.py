"""From the bytes of texts to a feature map: each word is a position, its embedding the channels."""

from torch import Tensor, nn

from cellwright.tasks.text.hashing import Hash

SPREAD = 0.01
"""Of new embeddings."""


class TextAdapter(nn.Module):
    """Embeds the words of texts and pairs of neighbours, those that are known, into a map (B, E, 1, W).

    A position is the sum of its word's embedding and that of the pair which begins there, divided by the square root of
    the number of both in the text, so that the sum over positions does not grow with the text. Without known words the
    map is 0.

    Args:
        most_words: W; words after these are not read.
        known: bool, for each bucket whether it is read.
        channels: E.
        rows: of the table of embeddings, which buckets share if there are fewer.
    """

    known: Tensor

    def __init__(self, most_words: int, known: Tensor, channels: int, rows: int | None = None) -> None:
        super().__init__()
        self.hash = Hash(most_words, len(known))
        self.rows = rows or len(known)
        self.register_buffer("known", known)
        self.embedding = nn.Embedding(self.rows, channels)
        nn.init.normal_(self.embedding.weight, std=SPREAD)

    def forward(self, x_BL: Tensor) -> Tensor:
        """Return the map for bytes."""
        word_BW, pair_BW, is_word_BW, is_pair_BW = self.hash(x_BL)
        reads_word_BW = (self.known[word_BW] & is_word_BW).float()
        reads_pair_BW = (self.known[pair_BW] & is_pair_BW).float()
        count_B11 = (reads_word_BW + reads_pair_BW).sum(dim=1)[:, None, None]
        embedded_BWE = self.embedding(word_BW % self.rows) * reads_word_BW.unsqueeze(2)
        embedded_BWE = embedded_BWE + self.embedding(pair_BW % self.rows) * reads_pair_BW.unsqueeze(2)
        map_BE1W: Tensor = (embedded_BWE / count_B11.clamp(min=1).sqrt()).transpose(1, 2).unsqueeze(2)
        return map_BE1W
