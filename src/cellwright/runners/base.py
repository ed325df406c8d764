"""The base class of all runners."""

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
"""Files in a trial's folder: its request, the result of a successful trial, and the result of a one-shot search."""
START, SLICE = "start.safetensors", "slice.safetensors"
"""Files in the folder of a slice of a race: the checkpoint to resume from, and the one at its end."""
RUN = "run"
"""The file with a run's id, which distinguishes a step's folder from an earlier one with the same key."""
Key = tuple[int, int]
"""Number and repeat of an evaluation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of a trial."""

    key: Key
    seconds: float
    failure: str | None
    """Why the trial failed; None if it succeeded and its folder has the result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trials:
    """The common properties of a search's trials."""

    data: Path
    """The folder of prepared data."""
    folder: Path
    """The search's folder, where a resumed search finds its trials."""
    request: str
    """The common request, without an architecture, as JSON."""
    settings: SearchSettings | None
    """The search in the form that Katib's suggestion service can run; None if it cannot."""
    progress: Progress
    """Receives messages about problems with trials."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one preflight check."""

    what: str
    problem: str | None
    """The problem and how to fix it; None if there is none."""


class Runner(ABC):
    """Runs trials.

    The runner's section in the spec, a subclass of `cellwright.spec.RunnerSection`, names it by import path, and
    declares whether trials are remote and need a store.
    """

    @classmethod
    @abstractmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> "Runner":
        """Build the runner of a search, which finds trials that were started earlier."""

    @classmethod  # noqa: B027 - most leave nothing
    def clean_up(cls, spec: SearchSpec, owner: str, log: Callable[[str], None]) -> None:
        """Delete the remains of a pipeline run that failed, and report them.

        Args:
            spec: the spec of the run.
            owner: the run, as passed to the section's `owned_by`.
            log: receives a message about each deleted object.
        """

    @classmethod
    def manifest(cls, spec: SearchSpec, settings: SearchSettings) -> Mapping[str, Any]:
        """Return the Kubernetes object that the search would create."""
        raise _no_cluster(spec)

    @classmethod
    def stage(cls, spec: SearchSpec, trials: Trials) -> None:
        """Store the data and the common request for an object that was created by hand from the manifest."""
        raise _no_cluster(spec)

    @classmethod
    def preflight(
        cls, spec: SearchSpec, katib_namespace: str, log: Callable[[str], None]
    ) -> Iterable[Finding]:
        """Yield the result of each check of the cluster."""
        raise _no_cluster(spec)

    @abstractmethod
    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Start the trial whose request is in the folder. Its result will be `result.json`.

        Args:
            key: number and repeat of the trial. A trial that survived a kill of the search is not started twice.
            folder: has the results when the trial has succeeded.
            evaluation: the evaluation of the trial; None for a whole one-shot search.
        """

    def skip(self, evaluation: Evaluation) -> None:  # noqa: B027 - most need not know
        """Skip a suggestion that needs no trial, since screening rejected it."""

    @abstractmethod
    def wait(self) -> Outcome:
        """Wait until a trial ends, and return its outcome."""

    @abstractmethod
    def stop(self) -> None:
        """Stop all running trials."""


def run_id(folder: Path) -> str:
    """Return the id of this run of a step; creates one if the folder has none."""
    if not (folder / RUN).exists():
        write_text(folder / RUN, uuid.uuid4().hex)
    return (folder / RUN).read_text()


def _no_cluster(spec: SearchSpec) -> CellwrightError:
    return CellwrightError(
        f"runner.kind must be one on a cluster, such as katib or jobs, got {spec.runner.kind}"
    )


def search_location(search: str) -> str:
    """Return a search's folder in a store."""
    return f"searches/{search}"


def request_location(search: str) -> str:
    """Return the folder of the common request of a search's trials in a store."""
    return f"{search_location(search)}/request"


def trial_location(search: str, trial: str) -> str:
    """Return a trial's folder in a store."""
    return f"{search_location(search)}/trials/{trial}"


def step_location(folder: str) -> str:
    """Return the location of a step's folder in a store, by its name, which includes the key."""
    return f"steps/{Path(folder).name}"
