"""A small pipeline in a store, disturbed in every way: `make chaos` counts how 30 runs on S3 end.

Two processes at a time want the same three steps done. They are killed, frozen for longer than their leases hold, and
woken up again, and bits of the stored files are flipped. Every process must end with the results of an undisturbed one,
or in one line that names a file of the store. A seed repeats the disturbances, not what they meet.
"""

import argparse
import collections
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from cellwright.errors import CellwrightError
from cellwright.files import files_below, write_text
from cellwright.progress import Progress, Silent
from cellwright.spec import SearchSpec
from cellwright.step_list import Step
from cellwright.steps import stored
from cellwright.steps.stored import run_stored_step
from cellwright.stores import attempting, leased
from cellwright.stores.lease import LOST
from cellwright.training.checkpoint import CHECKPOINT, load_tensors, save_tensors
from tests.servers import ADMINISTRATOR, S3Gateway

NAME = __name__ if __name__ != "__main__" else "tests.steps.chaos"
SECONDS = 120.0
"""How long processes may take when nothing disturbs them any more."""
EPOCHS = 6
EPOCH_SECONDS = 0.05
SHARD, WEIGHTS, RESULT = "train.safetensors", "model.safetensors", "result.json"
STEPS = (
    Step(name="prepare", help="", artifact="", run=f"{NAME}:prepare"),
    Step(name="retrain", help="", artifact="", run=f"{NAME}:train", inputs=("prepare",)),
    Step(name="evaluate", help="", artifact="", run=f"{NAME}:evaluate", inputs=("prepare", "retrain")),
)


def prepare(spec: SearchSpec, inputs: Mapping[str, Path], folder: Path, progress: Progress) -> None:
    data = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    save_tensors(folder / SHARD, {"inputs": data})


def train(spec: SearchSpec, inputs: Mapping[str, Path], folder: Path, progress: Progress) -> None:
    (data,) = load_tensors(inputs["prepare"] / SHARD)[0].values()
    weights, done = torch.zeros(8), 0
    if (folder / CHECKPOINT).exists():
        tensors, facts = load_tensors(folder / CHECKPOINT)
        weights, done = tensors["weights"], facts["epochs"]
    for epoch in range(done, EPOCHS):
        time.sleep(EPOCH_SECONDS)
        weights = (weights + data.mean(0) * (epoch + 1)).cos()
        save_tensors(folder / CHECKPOINT, {"weights": weights}, {"epochs": epoch + 1})
    save_tensors(folder / WEIGHTS, {"weights": weights})


def evaluate(spec: SearchSpec, inputs: Mapping[str, Path], folder: Path, progress: Progress) -> None:
    (data,) = load_tensors(inputs["prepare"] / SHARD)[0].values()
    (weights,) = load_tensors(inputs["retrain"] / WEIGHTS)[0].values()
    time.sleep(EPOCH_SECONDS)
    write_text(folder / RESULT, json.dumps({"scores": (data @ weights).tolist()}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A store for a pipeline.

    Args:
        uri: of the store.
        objects: the folder that holds its files.
        lease: how long a lease may stay unchanged, in seconds.
        environment: what a client of the store needs.
    """

    uri: str
    objects: Path
    lease: float
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def volume(cls, folder: Path) -> "Ground":
        """Return a store in a folder of this machine."""
        return cls(uri=str(folder / "volume"), objects=folder / "volume", lease=0.6)

    @classmethod
    def bucket(cls, gateway: S3Gateway, prefix: str) -> "Ground":
        """Return a store in a part of a bucket. Leases hold longer, since requests take time."""
        return cls(
            uri=f"s3://{gateway.bucket}/{prefix}",
            objects=gateway.objects / prefix,
            lease=3.0,
            environment=gateway.keys(ADMINISTRATOR),
        )


def work(ground: Ground, owner: str, answer: Path) -> None:
    """Do all steps, and leave the result or the error; what a process of the pipeline does."""
    os.environ.update(ground.environment)
    stored.leased = partial(leased, seconds=ground.lease, poll=0.02)  # type: ignore[attr-defined]
    stored.attempting = partial(attempting, seconds=0.02)  # type: ignore[attr-defined]
    store = {"uri": ground.uri} | ({} if ground.environment else {"claim": "volume"})
    spec = SearchSpec.model_validate({"name": "chaos", "data": {"source": "digits"}, "store": store})
    folders: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for step in STEPS:
                needed = {name: folders[name] for name in step.inputs}
                folders[step.name] = run_stored_step(
                    step, spec, needed, Path(scratch) / step.name, Silent(), owner=owner
                )
            write_text(answer, (folders["evaluate"] / RESULT).read_text())
        except CellwrightError as error:
            write_text(answer, f"error: {error}")


class Pipeline:
    """Processes that do the same steps.

    Args:
        ground: their store.
        answers: a folder for what each leaves.
    """

    def __init__(self, ground: Ground, answers: Path) -> None:
        self.ground = ground
        self.answers = answers
        self.processes: dict[str, BaseProcess] = {}
        self._started = 0

    def start(self, owner: str) -> None:
        self._started += 1
        answer = self.answers / f"{self._started:03d}"
        process = get_context("fork").Process(target=work, args=(self.ground, owner, answer))
        process.start()
        self.processes[owner] = process

    def signal(self, owner: str, number: int) -> None:
        pid = self.processes[owner].pid
        assert pid is not None
        if self.processes[owner].is_alive():
            os.kill(pid, number)

    def join(self) -> list[str]:
        """Wait for all, begin those again whose lease was lost, and return what they left."""
        deadline = time.monotonic() + SECONDS
        for owner in list(self.processes):
            while True:
                self.processes[owner].join(max(0.0, deadline - time.monotonic()))
                if self.processes[owner].exitcode != LOST:
                    break
                self.start(owner)
            assert self.processes[owner].exitcode == 0, f"{owner} ended with {self.processes[owner].exitcode}"
        return [answer.read_text() for answer in sorted(self.answers.iterdir())]


@contextmanager
def pipeline(ground: Ground) -> Iterator[Pipeline]:
    answers = tempfile.TemporaryDirectory()
    found = Pipeline(ground, Path(answers.name))
    try:
        yield found
    finally:
        for process in found.processes.values():
            process.kill()
            process.join()
        answers.cleanup()


def undisturbed(ground: Ground) -> str:
    """Return the result of a pipeline that nothing happens to."""
    with pipeline(ground) as whole:
        whole.start("a")
        (answer,) = whole.join()
    return answer


def chaos(seed: int, ground: Ground, *, flips: bool) -> list[str]:
    """Disturb a pipeline; return what its processes left, the last after the disturbances."""
    rng = random.Random(seed)
    with pipeline(ground) as disturbed:
        owners = ("a", "b")
        for owner in owners:
            disturbed.start(owner)
        for _ in range(rng.randrange(4, 9)):
            time.sleep(rng.uniform(0, 0.4))
            owner = rng.choice(owners)
            what = rng.choice(("kill", "freeze", "flip" if flips else "kill"))
            if what == "kill":
                disturbed.signal(owner, signal.SIGKILL)
                disturbed.processes[owner].join()
                disturbed.start(owner)
            elif what == "freeze":
                disturbed.signal(owner, signal.SIGSTOP)
                time.sleep(ground.lease * rng.uniform(0.5, 2.5))
                disturbed.signal(owner, signal.SIGCONT)
            else:
                flip(rng, ground.objects)
        disturbed.join()
        disturbed.start("last")
        return disturbed.join()


def flip(rng: random.Random, root: Path) -> None:
    """Change a bit of a file of the store, if there is one."""
    files = sorted(files_below(root)) if root.exists() else []
    if not files:
        return
    try:
        with rng.choice(files).open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(place := rng.randrange(max(1, size)))
            (byte,) = file.read(1) or b"\0"
            file.seek(place)
            file.write(bytes([byte ^ 1 << rng.randrange(8)]))
    except FileNotFoundError:  # replaced meanwhile
        pass


def is_right(answer: str, whole: str) -> bool:
    """Return whether an answer is the result, or one line that names a file of the store."""
    names_one = any(f"{folder}/" in answer for folder in ("steps", "leases"))
    return answer == whole or (answer.startswith("error: ") and "\n" not in answer and names_one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the first run")
    parser.add_argument("--volume", action="store_true", help="a folder instead of S3")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ends: collections.Counter[str] = collections.Counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not given.volume:
            gateway = S3Gateway(folder, "chaos")
            stack.callback(gateway.kill)

        def ground(name: str) -> Ground:
            return Ground.volume(folder / name) if given.volume else Ground.bucket(gateway, name)

        whole = undisturbed(ground("whole"))
        for seed in range(given.seed, given.seed + given.runs):
            answers = chaos(seed, ground(str(seed)), flips=seed % 3 != 0)
            wrong = [answer for answer in answers if not is_right(answer, whole)]
            end = "wrong" if wrong else "result" if answers[-1] == whole else "error"
            ends[end] += 1
            last = "" if answers[-1] == whole else f": {answers[-1]:.250}"
            print(f"seed {seed}: {len(answers)} answers, {end}{last}", flush=True)
            for answer in wrong:
                print(f"  WRONG: {answer:.300}", flush=True)
    print(dict(ends))
    sys.exit(ends["wrong"] > 0)


if __name__ == "__main__":
    main()
