"""Prepares a folder of many JPEGs and trains from it: speed, memory and what a kill costs; prints a table.

`python -m benchmarks.larger_than_memory` makes the JPEGs first, unless they are there. Then it prepares them; with
`--kill`, that is killed halfway and started again. An epoch is trained twice: with all examples in memory, and with the
shards dropped from the system's page cache, so that each example comes from the disk.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split
from cellwright.spaces.building import hand_designed_network
from cellwright.spec import Retrain
from cellwright.tasks.base import read_task
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.sources.folder import FolderSection
from cellwright.tasks.preparing import SCRATCH, prepare
from cellwright.training.retraining import Retraining

WORKSPACE = Path("runs/larger_than_memory")
NUM_CLASSES, PARAMS = 10, 20_000
MIB = 1 << 20


def make_images(folder: Path, count: int, side: int) -> Path:
    """Write JPEGs of coarse noise, which are about as large as photos of this size."""
    images = folder / f"images-{count}-{side}"
    rng = np.random.default_rng(0)
    for number in range(count if not images.exists() else 0):
        path = images / f"{number % NUM_CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (side // 4, side // 4, 3), np.uint8))
        coarse.resize((side, side), Image.Resampling.BILINEAR).save(path, quality=90)
    return images


def memory(process: psutil.Process) -> tuple[float, float]:
    """Return what a process and its children have of their own, and that with mapped files, in MiB."""
    private, whole = 0, 0
    for each in (process, *process.children(recursive=True)):
        try:
            text = Path(f"/proc/{each.pid}/smaps_rollup").read_text()
        except OSError:  # it has ended
            continue
        kib = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
        private += kib.get("Pss_Anon", 0)
        whole += kib.get("Pss", 0)
    return private / 1024, whole / 1024


def measured_prepare(images: Path, folder: Path, processes: int, kill: bool) -> None:
    """Prepare in a process of its own, and print its time and its peak of memory."""
    command = [sys.executable, "-m", __spec__.name, "--prepare", str(images), "--into", str(folder)]
    began, peak = time.monotonic(), (0.0, 0.0)
    child = subprocess.Popen([*command, "--processes", str(processes)])
    while child.poll() is None:
        found = memory(psutil.Process(child.pid))
        peak = max(peak[0], found[0]), max(peak[1], found[1])
        blocks = len(list((folder / SCRATCH).glob("*/*/*.json")))
        if kill and blocks >= 32:
            child.send_signal(signal.SIGKILL)
            print(f"killed after {blocks} blocks")
            child.wait()
            return
        time.sleep(0.1)
    assert child.returncode == 0
    print(
        f"| prepare | {time.monotonic() - began:.1f} s | {peak[0]:.0f} MiB, with mapped files {peak[1]:.0f} |"
    )


def epoch_seconds(split: Split, task: dict[str, object], checkpoint: Path) -> float:
    """Return how long it takes to train a small network for an epoch."""
    training = Retraining(
        hand_designed_network(read_task(task), "resnet", PARAMS).build(seed=0),
        split,
        Retrain(mixup=0.0, ema_decay=None),
        ImagesSection(),
        task=read_task(task),
        seed=0,
        checkpoint=checkpoint,
    )
    began = time.monotonic()
    training.train_epoch(1)
    return time.monotonic() - began


def drop_from_memory(folder: Path) -> None:
    """Drop the shards from the system's page cache; what a process has mapped stays."""
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured_epochs(folder: Path) -> None:
    data = PreparedData.open(folder)
    checkpoint, task = folder / "checkpoint.safetensors", data.manifest.task
    held = data.train[:]
    print(f"| an epoch in memory | {epoch_seconds(held, task, checkpoint):.1f} s | |", flush=True)
    del data, held
    drop_from_memory(folder)
    print(f"| from disk | {epoch_seconds(PreparedData.open(folder).train, task, checkpoint):.1f} s | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        section = FolderSection(source="images", path=given.prepare)
        prepare(section, given.into, print, num_processes=given.processes)
        return
    torch.set_num_threads(given.processes)
    images, folder = make_images(WORKSPACE, given.images, given.side), WORKSPACE / "prepared"
    shutil.rmtree(folder, ignore_errors=True)
    if given.kill:
        measured_prepare(images, folder, given.processes, kill=True)
    measured_prepare(images, folder, given.processes, kill=False)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / MIB
    print(f"| shards | | {size:.0f} MiB |")
    measured_epochs(folder)


if __name__ == "__main__":
    main()
