"""Data parallelism over several processes; the only module that uses torch.distributed.

All processes hold the same model, take the same batches, and draw the same random numbers for whole batches. Only the
network's passes are divided: each process computes some rows of a batch. Its loss is weighted so that the mean over
the processes is the loss of the batch. Gradients are averaged in the same way. A loss that all processes compute in
full has the same mean without a weight.

In a single process, all functions here do nothing.
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
from cellwright.training.sync_batch_norms import SyncBatchNorms

TIMEOUT = datetime.timedelta(days=7)
"""How long to wait for the other processes, while the first may be preparing data. The launcher notices if one dies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """The rank of this process."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    """Rank among the processes on this machine."""
    local_world_size: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """The part of a batch that this process computes."""

    rows: slice
    weight: float
    """Factor for the mean over these rows, which makes the mean over the processes that of the batch."""


_process = Process()
_store: Store | None = None


@contextmanager
def joined(process: Process, init_method: str = "env://") -> Iterator[None]:
    """Join the process group until the end of the block.

    Args:
        process: rank and number of processes.
        init_method: an init_method URL of torch.distributed.

    Raises:
        CellwrightError: there are GPUs, but fewer than processes.
    """
    global _process, _store
    if process.world_size == 1:
        yield
        return
    _store, _, _ = next(rendezvous(init_method, process.rank, process.world_size, timeout=TIMEOUT))
    backend = "gloo"
    if torch.cuda.is_available():
        if process.local_world_size > torch.cuda.device_count():
            raise CellwrightError(
                f"processes on one machine must be at most its {torch.cuda.device_count()} GPUs, "
                f"got {process.local_world_size}"
            )
        torch.cuda.set_device(process.local_rank)
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(
        backend, store=_store, rank=process.rank, world_size=process.world_size, timeout=TIMEOUT
    )
    _process = process
    yield
    _process = Process()
    distributed.destroy_process_group()  # not after an error: the other processes may be blocked in a collective


def world_size() -> int:
    """Return the number of processes."""
    return _process.world_size


def local_world_size() -> int:
    """Return the number of processes on this machine."""
    return _process.local_world_size


def is_first() -> bool:
    """Return whether this process has rank 0, which writes the files."""
    return _process.rank == 0


def is_first_to_fail() -> bool:
    """Return whether this process is the first to fail, so that only the first error is shown. Call it once."""
    try:
        return _store is None or _store.add("cellwright failures", 1) == 1
    except RuntimeError:  # the process that hosts the store has exited
        return False


def barrier() -> None:
    """Wait until all processes have reached this call."""
    if world_size() > 1:
        _total(torch.zeros(()))


def broadcast(value: float) -> float:
    """Return the value of rank 0."""
    if world_size() == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    distributed.broadcast(shared, src=0)
    return shared.item()


@contextmanager
def share(batch_size: int) -> Iterator[Share]:
    """Yield this process's part of a batch, and let norms use the statistics of the whole batch.

    The parts differ by at most one row. If a batch has fewer rows than there are processes, each computes all of it.
    """
    if world_size() == 1 or batch_size < world_size():
        yield Share(rows=slice(0, batch_size), weight=1.0)
        return
    rows = _rows(batch_size)
    with SyncBatchNorms(_total):
        yield Share(rows=rows, weight=(rows.stop - rows.start) * world_size() / batch_size)


def gather(part: Tensor, batch_size: int) -> Tensor:
    """Gather the rows of a whole batch from the parts of all processes."""
    if len(part) == batch_size:
        return part
    whole = part.new_zeros(batch_size, *part.shape[1:])
    whole[_rows(batch_size)] = part
    return _total(whole)


def mean(tensor: Tensor) -> Tensor:
    """Return the mean over the processes."""
    return averaged([tensor])[0]


def averaged(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the means over the processes, in one collective."""
    if world_size() == 1:
        return list(tensors)
    flat = _total(torch.cat([tensor.reshape(-1) for tensor in tensors])) / world_size()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if gradients:
        torch._foreach_copy_(gradients, averaged(gradients))


def _rows(batch_size: int) -> slice:
    start, stop = (batch_size * rank // world_size() for rank in (_process.rank, _process.rank + 1))
    return slice(start, stop)


def _total(tensor: Tensor) -> Tensor:
    distributed.all_reduce(tensor)
    return tensor
