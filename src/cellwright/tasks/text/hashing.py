"""From the bytes of texts to numbers of their words, in operations that every export has."""

import torch
from torch import Tensor, nn
from torch.nn import functional

PRIME = 2**31 - 1
BASE, PAIR_BASE = 1_000_003, 1_540_483_477
"""Of the polynomial hashes of a word's bytes, and of two words."""
MOST_LETTERS = 64
"""Bytes of a word whose order counts."""
BLANK = 1
"""The byte of a word that is blanked in training: it keeps its place, and neither it nor a pair with it is found."""
IDEOGRAPHS = (0xE3, 0xE9)
"""The first bytes of Chinese and Japanese characters in UTF-8, each of which is a word of its own."""


def letters() -> Tensor:
    """Return which bytes (256,) belong to words: ASCII letters and digits, all that is not ASCII, and blanks."""
    return torch.tensor([byte >= 128 or byte == BLANK or chr(byte).isalnum() for byte in range(256)])


def words(x_BL: Tensor, letter: Tensor) -> tuple[Tensor, Tensor]:
    """Return which bytes begin a word, and the number of each byte's word, from 0; -1 for what is in none.

    Args:
        x_BL: bytes, int64.
        letter: what `letters` gives.
    """
    within_BL = letter[x_BL]
    before_BL = functional.pad(within_BL[:, :-1].int(), (1, 0)) > 0
    first, last = IDEOGRAPHS
    begins_BL = within_BL & (~before_BL | ((x_BL >= first) & (x_BL <= last)))
    return begins_BL, torch.where(within_BL, begins_BL.long().cumsum(dim=1) - 1, -1)


class Hash(nn.Module):
    """Finds the words of UTF-8 texts, lower case where they are ASCII, and hashes words and pairs of neighbours.

    The hash of a word with bytes b_1, b_2, … is the sum of (b_i + 1) · BASE^i, modulo a prime; that of a pair is
    h_1 · PAIR_BASE + h_2. The bucket is the hash modulo their number.

    Args:
        most_words: W; words after these are not read.
        buckets: how many there are.
    """

    letter: Tensor
    lower: Tensor
    powers: Tensor

    def __init__(self, most_words: int, buckets: int) -> None:
        super().__init__()
        self.most_words, self.buckets = most_words, buckets
        lower = torch.arange(256)
        lower[ord("A") : ord("Z") + 1] += ord("a") - ord("A")
        powers = [pow(BASE, index, PRIME) for index in range(1, MOST_LETTERS + 1)]
        self.register_buffer("letter", letters(), persistent=False)
        self.register_buffer("lower", lower, persistent=False)
        self.register_buffer("powers", torch.tensor(powers), persistent=False)

    def forward(self, x_BL: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the buckets of words and of pairs (B, W), int64, and where there are any, bool.

        Args:
            x_BL: bytes; 0 after the end of a text.
        """
        x_BL = self.lower[x_BL.long()]
        begins_BL, word_BL = words(x_BL, self.letter)
        most = self.most_words
        slot_BL = torch.where((word_BL >= 0) & (word_BL < most), word_BL, most)
        place_BL = torch.arange(x_BL.shape[1], device=x_BL.device).expand_as(x_BL)
        none_BW = torch.zeros_like(x_BL[:, :1]).expand(-1, most + 1)
        first_BW = none_BW.scatter_add(1, slot_BL, torch.where(begins_BL, place_BL, 0))
        letter_BL = (place_BL - first_BW.gather(1, slot_BL)).clamp(0, MOST_LETTERS - 1)
        hash_BW = none_BW.scatter_add(1, slot_BL, (x_BL + 1) * self.powers[letter_BL])[:, :most] % PRIME
        blank_BW = none_BW.scatter_add(1, slot_BL, (x_BL == BLANK).long())[:, :most] > 0
        places_W = torch.arange(most, device=x_BL.device)
        is_word_BW = (places_W < begins_BL.long().sum(dim=1, keepdim=True)) & ~blank_BW
        is_pair_BW = is_word_BW & (functional.pad(is_word_BW[:, 1:].int(), (0, 1)) > 0)
        pair_BW = (hash_BW * PAIR_BASE + functional.pad(hash_BW[:, 1:], (0, 1))) % PRIME
        return hash_BW % self.buckets, pair_BW % self.buckets, is_word_BW, is_pair_BW


def blank_words(x_BL: Tensor, letter: Tensor, chance: float, rng: torch.Generator) -> Tensor:
    """Return bytes, float or whole, in which each word is blanked with that chance."""
    _, word_BL = words(x_BL.long(), letter)
    drawn_BL = torch.rand(x_BL.shape, generator=rng, device=rng.device) < chance
    is_blank_BL = (word_BL >= 0) & drawn_BL.gather(1, word_BL.clamp(min=0))
    return torch.where(is_blank_BL, BLANK, x_BL)
