"""Running a step so that it can be killed at any moment: finished ones are reused, begun ones resume.

A step's folder is named by a key of all that its result depends on: the sections of the spec it reads, the keys of
its inputs, and the code. The folder counts as finished when it holds `step.json`, which is written last.

Of several processes (`training.parallel`) the first has the folder; the others help it or wait.
"""

import functools
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cellwright
from cellwright.canonical import digest
from cellwright.folders import claimed
from cellwright.importing import find_package
from cellwright.progress import Progress
from cellwright.results import FINISHED, Result
from cellwright.spec import SearchSpec
from cellwright.tracking.addresses import placed
from cellwright.training import parallel

Inputs = Mapping[str, Path]
"""The folders of earlier steps, by step name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the pipeline."""

    name: str
    inputs: tuple[str, ...]
    """The steps whose folders it reads."""
    settings: Callable[[SearchSpec], Any]
    """What of the spec, as JSON, the result depends on."""
    run: Callable[[SearchSpec, Inputs, Path, Progress], None]
    """Fills the folder; called again on a half-filled one, it goes on from there."""
    is_shared: bool = False
    """Whether all processes run it together, or the first alone."""


class StepRecord(Result):
    """`step.json`: says that the folder is finished, and what it was made from."""

    step: str
    key: str
    inputs: dict[str, str]
    settings: Any
    version: str
    seconds: float


def run_step(
    step: Step,
    spec: SearchSpec,
    inputs: Inputs,
    workspace: Path,
    progress: Progress,
    hold: Callable[[Path], AbstractContextManager[None]] = claimed,
) -> Path:
    """Return the step's finished folder in the workspace, doing what is left to do.

    Args:
        step: what to do.
        spec: whose sections it reads.
        inputs: the folders it reads.
        workspace: where its folder is, or will be.
        progress: told how far it is.
        hold: keeps the folder for this process, and may fill it with what is known of it elsewhere.

    Raises:
        CellwrightError: an input is not finished, or another process is at this step.
    """
    keys = {name: StepRecord.load(inputs[name] / FINISHED).key for name in step.inputs}
    spec = placed(spec, workspace)
    settings = step.settings(spec)
    key = digest([step.name, code_version(spec.imports), settings, keys])
    folder = workspace / f"{step.name}-{key}"
    if parallel.agreed((folder / FINISHED).exists()):
        progress.say(f"{step.name}: reusing {folder}")
        return folder
    with hold(folder) if parallel.is_first() else nullcontext():
        if parallel.agreed((folder / FINISHED).exists()):
            progress.say(f"{step.name}: reusing what is there")
            return folder
        began = time.monotonic()
        if parallel.is_first() or step.is_shared:
            step.run(spec, inputs, folder, progress)
        if parallel.is_first():
            StepRecord(
                step=step.name,
                key=key,
                inputs=keys,
                settings=settings,
                version=cellwright.__version__,
                seconds=time.monotonic() - began,
            ).save(folder / FINISHED)
    parallel.wait()
    return folder


@functools.cache
def code_version(imports: tuple[str, ...]) -> str:
    """Return a digest of this package's source and of the user's, so that changed code never reuses old results."""
    roots = [Path(cellwright.__file__).parent, *sorted(set(map(find_package, imports)))]
    return digest([_source_digest(root) for root in roots])


def _source_digest(root: Path) -> str:
    sources = sorted(root.rglob("*.py")) if root.is_dir() else [root]
    return digest([(str(p.relative_to(root)), hashlib.sha256(p.read_bytes()).hexdigest()) for p in sources])
