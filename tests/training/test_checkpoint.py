"""Checkpoints and weights: every changed byte is refused in words that name the file."""

import random
from pathlib import Path

import pytest
import torch

from cellwright.errors import CellwrightError
from cellwright.tensor_files import digests
from cellwright.training.checkpoint import load_facts, load_tensors, save_tensors

TENSORS = {
    "weights": torch.arange(600, dtype=torch.float32).reshape(20, 30),
    "half": torch.arange(10).to(torch.bfloat16),
    "empty": torch.empty(0, 3),
    "one": torch.tensor(True),
}
FACTS = {"epoch": 3, "best": 0.5}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_tensors(tmp_path / "checkpoint.safetensors", TENSORS, FACTS)
    return tmp_path / "checkpoint.safetensors"


def test_what_was_saved_is_read(file: Path):
    tensors, facts = load_tensors(file)
    assert facts == FACTS == load_facts(file)
    assert tensors.keys() == TENSORS.keys()
    assert all(tensors[name].equal(tensor) for name, tensor in TENSORS.items())


def test_changed_bytes_are_refused_or_change_nothing(file: Path):
    """A byte between the parts of the header changes nothing that is read."""
    content = file.read_bytes()
    rng = random.Random(0)
    header = 8 + int.from_bytes(content[:8], "little")
    refused = 0
    for number in range(300):
        place = rng.randrange(header, len(content)) if number % 2 else rng.randrange(header)
        file.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        )
        try:
            tensors, facts = load_tensors(file)
        except CellwrightError as error:
            assert str(file) in str(error)
            refused += 1
        else:
            assert place < header
            assert facts == FACTS
            assert digests(tensors) == digests(TENSORS)
    assert refused > 250


def test_changed_facts_are_refused_where_they_are_read_alone(file: Path):
    file.write_bytes(file.read_bytes().replace(b"3", b"4", 1))
    content = file.read_bytes()
    file.write_bytes(content.replace(b"0.5", b"0.6"))
    with pytest.raises(CellwrightError, match="its facts must have the SHA-256 .* damaged"):
        load_facts(file)
