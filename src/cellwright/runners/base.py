"""What every runner is."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation
from cellwright.files import write_text
from cellwright.katib.settings import SearchSettings
from cellwright.progress import Progress
from cellwright.spec import SearchSpec

REQUEST, RESULT, FOUND = "trial.json", "result.json", "found.json"
"""What a trial finds in its folder, what one that ended well leaves there, and beside that a whole one-shot search."""
START, SLICE = "start.safetensors", "slice.safetensors"
"""In the folder of a slice of a race, the checkpoint that it resumes from, and the one that it leaves."""
RUN = "run"
"""The file that tells the making of a step's folder from an earlier one under the same key."""
Key = tuple[int, int]
"""Number and repeat of an evaluation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a trial ended."""

    key: Key
    seconds: float
    failure: str | None
    """Why it failed; None where it did not, and its folder holds what it found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trials:
    """What the trials of a search have in common."""

    data: Path
    """The folder of prepared data."""
    folder: Path
    """The search's folder, where a resumed search finds its trials."""
    request: str
    """What all are asked, as JSON: a request without an architecture."""
    settings: SearchSettings | None
    """The search as Katib's suggestion service can do it too; None where it cannot."""
    progress: Progress
    """Told what troubles trials."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a search needs."""

    what: str
    mistake: str | None
    """What is wrong and how to fix it; None if nothing is."""


class Runner(ABC):
    """Where trials run.

    Its section in the spec, a subclass of `cellwright.spec.RunnerSection`, names it by import path, and declares
    whether trials run on other machines and need a store.
    """

    @classmethod
    @abstractmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> "Runner":
        """Return the runner of a search; it finds trials that were started before."""

    @classmethod  # noqa: B027 - most leave nothing
    def clean_up(cls, spec: SearchSpec, owner: str, say: Callable[[str], None]) -> None:
        """Delete what a run of the pipeline that ended badly left, and say what it was.

        Args:
            spec: whose runner it was.
            owner: the run, which the section was told with `owned_by`.
            say: told each thing that was deleted.
        """

    @classmethod
    def manifest(cls, spec: SearchSpec, settings: SearchSettings) -> Mapping[str, Any]:
        """Return what the search would create on a cluster, as Kubernetes takes it."""
        raise _no_cluster(spec)

    @classmethod
    def stage(cls, spec: SearchSpec, trials: Trials) -> None:
        """Bring the data and the common request where what was created by hand from the manifest finds them."""
        raise _no_cluster(spec)

    @classmethod
    def preflight(
        cls, spec: SearchSpec, katib_namespace: str, say: Callable[[str], None]
    ) -> Iterable[Finding]:
        """Return, one by one, what the search needs on a cluster and whether it is there."""
        raise _no_cluster(spec)

    @abstractmethod
    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Begin the trial whose request is in the folder, where `result.json` will be.

        Args:
            key: number and repeat of the trial; one that still runs after a kill is found, not started twice.
            folder: is complete when the trial has ended well.
            evaluation: what is evaluated; None for a whole one-shot search.
        """

    def pass_over(self, evaluation: Evaluation) -> None:  # noqa: B027 - most need not know
        """Take note of a suggestion that needs no trial, since it was left out before."""

    @abstractmethod
    def wait(self) -> Outcome:
        """Wait until a trial ends, and return how."""

    @abstractmethod
    def stop(self) -> None:
        """End what is running."""


def run_id(folder: Path) -> str:
    """Return what tells this making of a step's folder from an earlier one, made up where there is none yet."""
    if not (folder / RUN).exists():
        write_text(folder / RUN, uuid.uuid4().hex)
    return (folder / RUN).read_text()


def _no_cluster(spec: SearchSpec) -> CellwrightError:
    return CellwrightError(
        f"runner.kind must be one on a cluster, such as katib or jobs, got {spec.runner.kind}"
    )


def search_place(search: str) -> str:
    """Return a search's folder in a store."""
    return f"searches/{search}"


def request_place(search: str) -> str:
    """Return the folder in a store with what all trials of a search are asked."""
    return f"{search_place(search)}/request"


def trial_place(search: str, trial: str) -> str:
    """Return a trial's folder in a store."""
    return f"{search_place(search)}/trials/{trial}"


def step_place(folder: str) -> str:
    """Return the place in a store of a step's folder, whose name says what it holds."""
    return f"steps/{Path(folder).name}"
