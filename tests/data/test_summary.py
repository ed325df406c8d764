"""What is kept of data: features of every kind of input, and no example."""

import pytest
import torch

from cellwright.data.split import Split
from cellwright.data.summary import MOST_EXAMPLES, split_targets, summarise
from cellwright.data.trained_on import example_hashes


def of(*inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    targets = torch.arange(len(inputs[0])) % 3
    return summarise(Split(inputs, targets), [f"i{number}" for number in range(len(inputs))])


def test_columns_are_features_and_their_values_are_sorted_apart():
    rows = torch.tensor([[3.0, 1.0], [1.0, 2.0], [2.0, float("nan")]])
    found = of(rows, torch.tensor([2, 0, 1]))
    assert list(found) == ["i0[0]", "i0[1]", "i1", "targets"]
    assert found["i0[0]"].tolist() == [1, 2, 3]
    assert found["i1"].tolist() == [0, 1, 2] and not found["i1"].is_floating_point()
    inputs, targets = split_targets(found)
    assert (len(inputs), list(targets)) == (3, ["targets"])


def test_maps_and_series_have_means_deviations_and_parts():
    maps = torch.zeros(5, 3, 8, 8, dtype=torch.uint8)
    maps[:, 1] = 200
    found = of(maps)
    assert found["i0[1] mean"].tolist() == [200] * 5
    assert sum("part" in name for name in found) == 16
    series = torch.randn(5, 2, 30)
    series[0, 0, :7] = float("nan")
    assert all(bool(values.isfinite().all()) for values in of(series).values())
    assert sum("part" in name for name in of(series)) == 4


def test_texts_have_lengths_and_shares_of_bytes():
    texts = torch.tensor([[97, 97, 98, 0], [98, 0, 0, 0]], dtype=torch.uint8)
    found = of(texts)
    assert found["i0 length"].tolist() == [1, 3]
    assert found["i0 byte 98"].tolist() == [torch.tensor(1 / 3).item(), 1]


def test_clips_of_sound_have_levels_and_changes_of_sign():
    clips = torch.zeros(2, 8, dtype=torch.int16)
    clips[1, :4] = torch.tensor([30000, -30000, 30000, -30000])
    found = of(clips)
    assert found["i0 level"].square().tolist() == [0, pytest.approx(30000**2 / 2)]
    assert found["i0 part 1 level"].tolist() == [0, 30000] and found["i0 part 2 level"].tolist() == [0, 0]
    assert found["i0 changes of sign"].tolist() == [0, torch.tensor(4 / 7).item()]


def test_of_many_examples_the_same_ones_are_drawn():
    many = torch.randn(MOST_EXAMPLES + 500, 2)
    assert len(of(many)["i0[0]"]) == MOST_EXAMPLES
    assert torch.equal(of(many)["i0[0]"], of(many)["i0[0]"])


def test_rows_keep_the_values_of_an_example_together():
    rows = torch.tensor([[3.0, 1.0], [1.0, 2.0], [2.0, 5.0]])
    found = summarise(Split((rows,), torch.tensor([2, 0, 1])), ["i"], rows=True)
    together = set(zip(*(values.tolist() for values in found.values()), strict=True))
    assert together == {(3, 1, 2), (1, 2, 0), (2, 5, 1)}


def test_examples_have_the_same_hashes_wherever_they_are_and_no_others():
    x = torch.arange(12, dtype=torch.uint8).view(4, 3)
    one, two = Split((x,), torch.zeros(4)), Split((x.flip(0),), torch.ones(4))
    assert torch.equal(example_hashes(one), example_hashes(two, one))
    assert example_hashes(one)[0].item() == -6358760249328578718
    assert not torch.isin(example_hashes(Split((x + 1,), torch.zeros(4))), example_hashes(one)).any()
