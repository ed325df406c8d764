import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cellwright.data.split import Split
from cellwright.progress import Silent
from cellwright.spec import Retrain
from cellwright.training import parallel
from cellwright.training.checkpoint import load_tensors
from cellwright.training.retraining import Retraining
from cellwright.training.sync_batch_norms import SyncBatchNorms
from tests.processes import do_together
from tests.training.test_retraining import AUGMENT, CELLS, RESNET, TASK, KillAfter, Killed

TRAININGS = {
    "cells": (CELLS, Retrain(epochs=2, batch_size=7, drop_path=0.3, mixup=0.2)),
    "resnet": (RESNET, Retrain(epochs=2, batch_size=7, optimizer="sgd", learning_rate=0.05)),
    "two in a batch": (RESNET, Retrain(epochs=1, batch_size=2)),
}
RESUMED = "cells"


def norm_and_gradients(mode: bool, x: Tensor, scale: Tensor | None, shift: Tensor | None) -> list[Tensor]:
    """Return what a norm gives, its gradients, and the statistics that it keeps."""
    inputs = [tensor.clone().requires_grad_() for tensor in (x, scale, shift) if tensor is not None]
    mean, variance = torch.ones(3).double(), torch.ones(3).double()
    arguments = (inputs[0], mean, variance, *(inputs[1:] or (None, None)))
    if mode:
        with SyncBatchNorms(lambda tensor: tensor):
            output = functional.batch_norm(*arguments, training=True, momentum=0.3)
    else:
        output = functional.batch_norm(*arguments, training=True, momentum=0.3)
    weights = torch.linspace(-1, 2, output.numel()).double().view_as(output)
    return [output, mean, variance, *torch.autograd.grad((weights * output.square()).sum(), inputs)]


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 4, 6)])
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_of_one_share_is_torchs(shape: tuple[int, ...], affine: bool):
    rng = torch.Generator().manual_seed(0)
    x = 3 + torch.randn(shape, generator=rng).double()
    scale, shift = (torch.randn(3, generator=rng).double() if affine else None for _ in range(2))
    for ours, expected in zip(*(norm_and_gradients(m, x, scale, shift) for m in (True, False)), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


def test_without_other_processes_nothing_is_shared_out():
    with parallel.share(7) as share:
        assert (share.rows, share.weight) == (slice(0, 7), 1)
    assert parallel.is_first()


def train(folder: Path, bars: Split, name: str, progress: Silent) -> None:
    config, settings = TRAININGS[name]
    Retraining(
        config.build(seed=1).double(),
        bars[:15],
        settings,
        AUGMENT,
        task=TASK,
        seed=2,
        checkpoint=folder / name,
    ).run("train", progress)


def work_through(folder: Path, bars: Split, trainings: Mapping[str, Iterable[str]], begun: str) -> None:
    """Train in each folder what is said, and in `begun` one of them until the first epoch is over."""
    for place, names in trainings.items():
        for name in names:
            train(folder / place, bars, name, Silent())
    if begun:
        with pytest.raises(Killed):
            train(folder / begun, bars, RESUMED, KillAfter(1))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, bars: Split) -> Path:
    """Train alone, by two and by three, and go on: from two processes to one, from one to three."""
    folder = tmp_path_factory.mktemp("trained")
    do_together(2, folder, work_through, folder, bars, {"two": TRAININGS}, "from two")
    do_together(1, folder, work_through, folder, bars, {"one": TRAININGS, "from two": [RESUMED]}, "from one")
    do_together(3, folder, work_through, folder, bars, {"three": TRAININGS, "from one": [RESUMED]}, "")
    return folder


@pytest.mark.parametrize(
    ("processes", "name"),
    [*itertools.product(("two", "three"), TRAININGS), ("from two", RESUMED), ("from one", RESUMED)],
)
def test_weights_are_those_of_one_process(trained: Path, processes: str, name: str):
    (expected, facts), (tensors, their_facts) = (load_tensors(trained / p / name) for p in ("one", processes))
    assert tensors.keys() == expected.keys()
    assert tensors["network/head.weight"].dtype == torch.float64
    for key, tensor in tensors.items():
        torch.testing.assert_close(tensor, expected[key], rtol=1e-10, atol=1e-10)
    for our, their in zip(facts["history"], their_facts["history"], strict=True):
        assert their["metrics"] == pytest.approx(our["metrics"], rel=1e-10)


def check_shares() -> None:
    for batch_size in (1, 2, 3, 7, 9):
        batch = torch.arange(batch_size).double()
        with parallel.share(batch_size) as share:
            part = batch[share.rows]
        assert (
            len(part) == batch_size if batch_size < 3 else batch_size // 3 <= len(part) <= batch_size // 3 + 1
        )
        assert parallel.gather(part, batch_size).equal(batch)
        torch.testing.assert_close(parallel.mean(share.weight * part.mean()), batch.mean())
    assert parallel.broadcast(float(parallel.is_first())) == 1


def test_shares_make_up_the_batch_and_one_too_small_is_everyones(tmp_path: Path):
    do_together(3, tmp_path, check_shares)


def fail_in_turn(folder: Path) -> None:
    if parallel.is_first():
        parallel.barrier()
    (folder / f"{parallel.is_first()}").write_text(str(parallel.is_first_to_fail()))
    if not parallel.is_first():
        parallel.barrier()


def test_one_process_fails_first(tmp_path: Path):
    do_together(2, tmp_path, fail_in_turn, tmp_path)
    assert [(tmp_path / first).read_text() for first in ("False", "True")] == ["True", "False"]
