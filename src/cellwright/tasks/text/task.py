"""Texts: what networks know of their words, and what is predicted."""

from abc import ABC
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cellwright.data import Source, SplitName
from cellwright.data.examples import Array
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.results import ModelInfo
from cellwright.tasks.base import Task
from cellwright.tasks.classification import Classification
from cellwright.tasks.multi_label import MultiLabel
from cellwright.tasks.regression import Regression
from cellwright.tasks.text.adapter import TextAdapter
from cellwright.tasks.text.classical import build_classical
from cellwright.tasks.text.cnn import TextCnn, cnn_size
from cellwright.tasks.text.hashing import Hash, blank_words, letters, words
from cellwright.tasks.text.section import TextAugment
from cellwright.tasks.text.sources.text import COLUMN, TABLES, TEXT, as_bytes, as_texts, read_file, read_texts

CHANNELS = 32
"""Of embeddings."""
BUCKETS = (2**13 - 1, 2**15 - 1)
"""The fewest and the most that words and pairs are hashed to."""
BATCH = 256
FEWEST_TEXTS = 2
"""Texts of the training split that a bucket must occur in to be read."""


class Text(Task, ABC):
    """Texts as UTF-8 bytes (B, L), uint8, 0 after the end; words are found, hashed and embedded in the network."""

    input_names: tuple[str, ...] = (TEXT,)
    column: str
    """What texts are called in files."""
    most_bytes: int
    """L; of a longer text the first ones are read."""
    known: str
    """A digit for each bucket: 1 if words of enough training texts are in it, else 0."""

    networks: ClassVar[tuple[str, ...]] = TextAugment.hand_designed

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task, with the words of the training split."""
        texts = train.examples.inputs[TEXT]
        batches = [
            torch.from_numpy(texts[train.indices[start : start + BATCH]])
            for start in range(0, len(train), BATCH)
        ]
        letter = letters()
        most_words = max(1, *(int(words(x.long(), letter)[1].max()) + 1 for x in batches))
        counts = _counts(batches, most_words)
        return cls(
            kind=kind,
            map_shape=(CHANNELS, 1, most_words),
            column=source.facts[COLUMN],
            most_bytes=texts.shape[1],
            known="".join("01"[count >= FEWEST_TEXTS] for count in counts.tolist()),
            **cls.of_targets(source, train),
        )

    @property
    def buckets(self) -> int:
        """Return how many buckets words and pairs are hashed to."""
        return len(self.known)

    @property
    def summary(self) -> str:
        """Say how long texts are."""
        return f"{self.target_summary} from texts of at most {self.most_bytes} bytes and {self.map_shape[2]} words"

    def warnings(self, source: Source, parts: Mapping[SplitName, Part]) -> Iterator[str]:
        """Say what validation and test have that networks cannot read."""
        for name in ("validation", "test"):
            texts = torch.from_numpy(parts[name].examples.inputs[TEXT][parts[name].indices])
            known, total = 0, 0
            for x_BL in torch.split(texts, BATCH):
                word_BW, _, is_word_BW, _ = self._hash()(x_BL)
                total += int(is_word_BW.sum())
                known += int((self._known()[word_BW] & is_word_BW).sum())
            if known < total:
                yield f"{1 - known / total:.1%} of the words of {name} are too rare in training to be read"

    def _hash(self) -> Hash:
        return Hash(self.map_shape[2], self.buckets)

    def _known(self) -> Tensor:
        """Return which buckets networks read, bool."""
        return torch.tensor([digit == "1" for digit in self.known])

    def input_meaning(self, name: str) -> str:
        """Say what bytes are."""
        return f"the text in UTF-8, 0 after its end; of a longer one the first {self.most_bytes} bytes"

    def examples_in(self, file: Path, info: ModelInfo) -> Iterator[tuple[str, Inputs | str]]:
        """Yield a .txt file as one text, the rows of a table or of .jsonl, and of standard input each line."""
        suffix = file.suffix.lower()
        if suffix == ".txt":
            texts = {str(file): read_file(file)}
        elif suffix in TABLES:
            texts = {f"{file}[{n}]": text for n, text in enumerate(read_texts(file, self.column))}
        elif file.name == "-":
            lines = read_file(file).splitlines()
            texts = {f"{file}[{n}]": line for n, line in enumerate(lines)}
        else:
            yield from super().examples_in(file, info)
            return
        for name, text in texts.items():
            yield name, (torch.from_numpy(as_bytes([text], self.most_bytes)),)

    def as_columns(self, inputs: Inputs) -> Mapping[str, Array]:
        """Return texts."""
        return {TEXT: np.array(as_texts(inputs[0].numpy()), object)}

    def adapter(self) -> nn.Module:
        """Return what finds, hashes and embeds words."""
        return self.embedded(CHANNELS, self.buckets)

    def embedded(self, channels: int, rows: int) -> TextAdapter:
        """Return an adapter of another size."""
        return TextAdapter(self.map_shape[2], self._known(), channels, rows)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return empty texts."""
        return (torch.zeros(batch_size, self.most_bytes, dtype=torch.uint8, device=device),)

    def augment(self, inputs: Inputs, section: TextAugment, rng: torch.Generator) -> Inputs:
        """Return texts without some of their words."""
        if not section.word_dropout:
            return inputs
        (x_BL,) = inputs
        return (blank_words(x_BL, letters().to(x_BL.device), section.word_dropout, rng),)

    def hand_designed(self, name: str, params: int) -> Mapping[str, Any]:
        """Return the size at which the network has about so many parameters."""
        return cnn_size(self, params)

    def build_hand_designed(self, name: str, settings: Mapping[str, Any]) -> nn.Module:
        """Return a convolutional network for texts."""
        return TextCnn(self, **settings)

    def build_classical(self, name: str, *, seed: int) -> Any:
        """Return TF-IDF with a linear model."""
        return build_classical(self)

    def classical_features(self, name: str, inputs: Inputs) -> NDArray[Any]:
        """Return the texts."""
        return self.as_columns(inputs)[TEXT]


class TextClassification(Text, Classification):
    """Texts of which a class is predicted."""

    kind: str = "text-classification"


class TextRegression(Text, Regression):
    """Texts of which a number is predicted."""

    kind: str = "text-regression"


class TextMultiLabel(Text, MultiLabel):
    """Texts of which labels are predicted."""

    kind: str = "text-labels"


def _counts(batches: list[Tensor], most_words: int) -> NDArray[np.int64]:
    """Return in how many texts each bucket occurs; there are many times the buckets that are read, within bounds."""
    fewest, most = BUCKETS
    counts = _counts_in(most, batches, most_words)
    buckets = max(fewest, (1 << (4 * int((counts >= FEWEST_TEXTS).sum())).bit_length()) - 1)
    return counts if buckets >= most else _counts_in(buckets, batches, most_words)


def _counts_in(buckets: int, batches: list[Tensor], most_words: int) -> NDArray[np.int64]:
    hashed, counts = Hash(most_words, buckets), np.zeros(buckets, np.int64)
    for x_BL in batches:
        word_BW, pair_BW, is_word_BW, is_pair_BW = hashed(x_BL)
        offset_B1 = torch.arange(len(x_BL))[:, None] * buckets
        of_texts = torch.cat([(word_BW + offset_B1)[is_word_BW], (pair_BW + offset_B1)[is_pair_BW]])
        counts += np.bincount(np.unique(of_texts.numpy()) % buckets, minlength=buckets)
    return counts
