"""Several processes that train one model; the only module that knows torch.distributed.

All hold the same model, take the same batches, and draw the same random numbers for the whole of each. What is shared
out are the network's passes: each process computes some rows of a batch. Its loss is given a weight so that the mean
over the processes is the loss of the batch, as it is of what all compute alike; gradients are averaged in the same way.

Without other processes everything here does nothing.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.distributed import Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from cellwright.errors import CellwrightError
from cellwright.training.whole_batch_norms import WholeBatchNorms

PATIENCE = datetime.timedelta(days=7)
"""How long to wait for the others, who may have to wait for the first to prepare data. Who starts them sees one die."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Which of the processes this one is."""

    number: int = 0
    count: int = 1
    local_number: int = 0
    """Among those on the same machine."""
    local_count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """The part of a batch that this process computes."""

    rows: slice
    weight: float
    """What to multiply the mean over these rows by, so that the processes' mean is that of the batch."""


_place = Place()
_store: Store | None = None


@contextmanager
def joined(place: Place, meeting: str = "env://") -> Iterator[None]:
    """Work together with the other processes, who do the same, until the end of the block.

    Args:
        place: this process among them.
        meeting: a URL of torch.distributed's where they meet.

    Raises:
        CellwrightError: there are GPUs, but fewer than processes.
    """
    global _place, _store
    if place.count == 1:
        yield
        return
    _store, _, _ = next(rendezvous(meeting, place.number, place.count, timeout=PATIENCE))
    backend = "gloo"
    if torch.cuda.is_available():
        if place.local_count > torch.cuda.device_count():
            raise CellwrightError(
                f"processes on one machine must be at most its {torch.cuda.device_count()} GPUs, "
                f"got {place.local_count}"
            )
        torch.cuda.set_device(place.local_number)
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(
        backend, store=_store, rank=place.number, world_size=place.count, timeout=PATIENCE
    )
    _place = place
    yield
    _place = Place()
    distributed.destroy_process_group()  # not after an error: the others may be stuck in what needs this one


def count() -> int:
    """Return how many processes there are."""
    return _place.count


def local_count() -> int:
    """Return how many of them are on this machine."""
    return _place.local_count


def is_first() -> bool:
    """Tell whether this is the process that writes files."""
    return _place.number == 0


def fails_first() -> bool:
    """Tell, once, whether no other process has asked this before: one error is shown, and not those that follow."""
    try:
        return _store is None or _store.add("cellwright failures", 1) == 1
    except RuntimeError:  # the process that kept the store is gone
        return False


def wait() -> None:
    """Wait until all processes are here."""
    if count() > 1:
        _total(torch.zeros(()))


def agreed(value: float) -> float:
    """Return the first process' value."""
    if count() == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    distributed.broadcast(shared, src=0)
    return shared.item()


@contextmanager
def share(batch_size: int) -> Iterator[Share]:
    """Give this process its part of a batch, and norms the statistics of all of it.

    Parts differ by at most one row. A batch with fewer rows than there are processes is computed whole by each.
    """
    if count() == 1 or batch_size < count():
        yield Share(rows=slice(0, batch_size), weight=1.0)
        return
    rows = _rows(batch_size)
    with WholeBatchNorms(_total):
        yield Share(rows=rows, weight=(rows.stop - rows.start) * count() / batch_size)


def gather(part: Tensor, batch_size: int) -> Tensor:
    """Return the whole batch's rows from those of each process' share."""
    if len(part) == batch_size:
        return part
    whole = part.new_zeros(batch_size, *part.shape[1:])
    whole[_rows(batch_size)] = part
    return _total(whole)


def mean(tensor: Tensor) -> Tensor:
    """Return the mean over the processes."""
    return averaged([tensor])[0]


def averaged(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the means over the processes, computed in one go."""
    if count() == 1:
        return list(tensors)
    flat = _total(torch.cat([tensor.reshape(-1) for tensor in tensors])) / count()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give each parameter that has a gradient its mean over the processes."""
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if gradients:
        torch._foreach_copy_(gradients, averaged(gradients))


def _rows(batch_size: int) -> slice:
    start, stop = (batch_size * number // count() for number in (_place.number, _place.number + 1))
    return slice(start, stop)


def _total(tensor: Tensor) -> Tensor:
    distributed.all_reduce(tensor)
    return tensor
