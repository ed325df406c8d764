import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from cellwright.data.prepared import PreparedData
from cellwright.spec import SOURCES
from cellwright.tasks.base import read_task
from cellwright.tasks.preparing import prepare
from cellwright.tasks.text.adapter import TextAdapter
from cellwright.tasks.text.hashing import BASE, MOST_LETTERS, PAIR_BASE, PRIME, Hash, blank_words, letters
from cellwright.tasks.text.sources.text import as_bytes, as_texts

BUCKETS = 2**20
EXAMPLES = Path(__file__).parents[3] / "examples"


def split_plainly(text: str) -> list[bytes]:
    """Return the words of a text as `Hash` finds them, by plain Python."""
    found: list[bytes] = []
    was_within = False
    for byte in text.encode():
        byte = byte + 32 if ord("A") <= byte <= ord("Z") else byte
        within = byte >= 128 or chr(byte).isalnum()
        if within and was_within and not 0xE3 <= byte <= 0xE9:
            found[-1] += bytes([byte])
        elif within:
            found.append(bytes([byte]))
        was_within = within
    return found


def hashed_plainly(word: bytes) -> int:
    return sum((b + 1) * pow(BASE, min(i, MOST_LETTERS), PRIME) for i, b in enumerate(word, 1)) % PRIME


def test_words_and_pairs_are_those_of_plain_python():
    rng = random.Random(0)
    alphabet = "aZ09 .,'-\n\0éÄ藍色はΨ\N{GRINNING FACE}"
    texts = ["".join(rng.choices(alphabet, k=rng.randrange(40))) for _ in range(50)]
    texts += ["", " ", "x" * 200, "one", "Two WORDS"]
    word_BW, pair_BW, is_word_BW, is_pair_BW = Hash(12, BUCKETS)(torch.from_numpy(as_bytes(texts, 120)))
    for row, text in enumerate(as_texts(as_bytes(texts, 120))):
        expected = [hashed_plainly(word) for word in split_plainly(text)][:12]
        pairs = [
            (one * PAIR_BASE + other) % PRIME for one, other in zip(expected, expected[1:], strict=False)
        ]
        assert word_BW[row][is_word_BW[row]].tolist() == [h % BUCKETS for h in expected]
        assert pair_BW[row][is_pair_BW[row]].tolist() == [h % BUCKETS for h in pairs]


def test_empty_and_unknown_texts_are_0_and_length_does_not_matter():
    bucket = int(Hash(8, 64)(torch.from_numpy(as_bytes(["word"], 4)))[0][0, 0])
    known = torch.arange(64) == bucket
    texts = ["", "zzz", "word", "word " * 8]
    maps = TextAdapter(8, known, 4)(torch.from_numpy(as_bytes(texts, 40)))
    sums = maps.sum(dim=(2, 3))
    assert not sums[:2].any()
    torch.testing.assert_close(sums[2] * 8**0.5, sums[3])


def test_blanked_words_keep_their_places_and_have_no_pairs():
    text = "some words, 藍 and more " * 20
    x_BL = torch.from_numpy(as_bytes([text] * 8, len(text.encode())))
    changed = blank_words(x_BL, letters(), 0.3, torch.Generator().manual_seed(0))
    assert changed.dtype == torch.uint8
    hashed = Hash(100, BUCKETS)
    word_BW, pair_BW, is_word_BW, is_pair_BW = hashed(x_BL)
    kept_word_BW, kept_pair_BW, is_kept_BW, is_kept_pair_BW = hashed(changed)
    assert kept_word_BW[is_kept_BW].equal(word_BW[is_kept_BW])
    assert kept_pair_BW[is_kept_pair_BW].equal(pair_BW[is_kept_pair_BW])
    both_BW = is_kept_BW[:, :-1] & is_kept_BW[:, 1:]
    assert is_kept_pair_BW[:, :-1].equal(both_BW) and not is_kept_pair_BW[:, -1].any()
    assert is_kept_BW.sum() / is_word_BW.sum() == pytest.approx(0.7, abs=0.05)


def test_words_that_one_training_text_has_are_not_read(tmp_path: Path):
    said: list[str] = []
    section: Any = SOURCES.validate({"source": "text", "path": EXAMPLES / "mail.jsonl", "target": "team"})
    prepare(section, tmp_path / "data", said.append)
    data = PreparedData.open(tmp_path / "data")
    task: Any = read_task(data.manifest.task)
    texts = as_texts(data.train.inputs[0].numpy())
    counts = Counter(word for text in texts for word in set(split_plainly(text)))
    often = [hashed_plainly(word) % task.buckets for word, count in counts.items() if count > 1]
    assert all(task.known[bucket] == "1" for bucket in often)
    rare = [hashed_plainly(word) % task.buckets for word, count in counts.items() if count == 1]
    assert sum(task.known[bucket] == "0" for bucket in rare) > 0.9 * len(rare)
    assert any("of the words of test are too rare in training to be read" in fact for fact in said)
