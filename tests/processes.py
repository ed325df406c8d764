"""Work that several processes do together, as if torchrun had started them."""

import multiprocessing
import tempfile
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any

import torch

from cellwright.training import parallel

_context = multiprocessing.get_context(
    "forkserver"
)  # which imports torch and what its optimizers import but once
_context.set_forkserver_preload([__name__, "torch._dynamo"])


def do_together(count: int, folder: Path, work: Callable[..., None], *arguments: Any) -> None:
    """Call `work` in as many processes, in float64, which meet in the folder; one that fails prints its traceback."""
    meeting = f"file://{tempfile.mkdtemp(dir=folder.resolve())}/meeting"
    processes = [
        _context.Process(
            target=_join, args=(parallel.Process(rank=rank, world_size=count), meeting, work, arguments)
        )
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    while running := [process for process in processes if process.exitcode is None]:
        connection.wait([process.sentinel for process in running])
        if any(process.exitcode for process in processes):  # the others wait for it in vain
            for process in running:
                process.kill()
    assert [process.exitcode for process in processes] == [0] * count


def _join(
    process: parallel.Process, meeting: str, work: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    with parallel.joined(process, meeting):
        work(*arguments)
