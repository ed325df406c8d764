import pytest
import torch

from cellwright.data.split import Split

SPLIT = Split(
    (torch.arange(10 * 3 * 64, dtype=torch.int64).remainder(251).to(torch.uint8).view(10, 3, 8, 8),),
    torch.arange(10),
)


def labels_of(**arguments) -> list[list[int]]:
    return [labels.tolist() for _, labels in SPLIT.batches(**arguments)]


def test_images_are_raw_floats_channels_last_beside_their_labels():
    for (images,), labels in SPLIT.batches(4, seed=0, epoch=0):
        assert images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(images, SPLIT.inputs[0][labels].float())


@pytest.mark.parametrize(
    ("batch_size", "drop_last", "sizes"),
    [(4, True, [4, 4]), (4, False, [4, 4, 2]), (5, True, [5, 5]), (64, True, [10]), (1, True, [1] * 10)],
)
def test_batch_sizes(batch_size, drop_last, sizes):
    batches = labels_of(batch_size=batch_size, seed=0, epoch=0, drop_last=drop_last)
    assert [len(labels) for labels in batches] == sizes
    assert len({label for labels in batches for label in labels}) == sum(sizes)


def test_order_follows_from_seed_and_epoch_alone():
    first = labels_of(batch_size=5, seed=1, epoch=2)
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    assert labels_of(batch_size=5, seed=1, epoch=2) == first
    assert torch.equal(torch.random.get_rng_state(), state)
    assert labels_of(batch_size=5, seed=2, epoch=1) != first


def test_ordered_batches_give_everything_in_order():
    batches = list(SPLIT.ordered_batches(4))
    assert torch.equal(torch.cat([labels for _, labels in batches]), SPLIT.targets)
    assert torch.equal(torch.cat([images for (images,), _ in batches]), SPLIT.inputs[0].float())
    assert [len(labels) for _, labels in batches] == [4, 4, 2]


def test_to_moves_both():
    moved = SPLIT.to("meta")
    assert (moved.inputs[0].device.type, moved.targets.device.type) == ("meta", "meta")


def test_inputs_stay_in_step_and_in_order_whatever_their_shapes_and_types():
    rows = torch.arange(10)
    split = Split((rows[:, None].double(), rows, rows.view(-1, 1, 1, 1).to(torch.uint8)), rows.float())
    for (signals, tokens, maps), targets in split.batches(4, seed=0, epoch=0, drop_last=False):
        assert (signals.dtype, tokens.dtype, maps.dtype) == (torch.float32, torch.int64, torch.float32)
        assert signals.flatten().tolist() == tokens.tolist() == maps.flatten().tolist() == targets.tolist()
