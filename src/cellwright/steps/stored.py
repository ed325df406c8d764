"""Steps with a workspace in a store: each runs in a local folder, which is continuously uploaded to the store.

Steps on different machines thus need no common volume. A killed step resumes from its checkpoint on another machine.
If several processes want the same step at once, one runs it and the others wait.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cellwright.errors import CellwrightError, DataError, DivergedError, RefusedError
from cellwright.files import write_text
from cellwright.katib.settings import SearchSettings
from cellwright.progress import Progress
from cellwright.results import Result, StepRecord
from cellwright.runners import run_id, runner_class, step_location
from cellwright.search.candidates import candidate_space
from cellwright.search.trial import trials_of
from cellwright.search.warm_start import start_candidates
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS, Step
from cellwright.steps.running import run_step, run_until
from cellwright.stores import LEASES, Store, attempting, finished, leased, pull, release, store_of


class Failure(Result):
    """`failed.json`: a failure of a run's step that a retry would repeat."""

    FILE = "failed.json"

    run: str
    """The pipeline run."""
    problem: str


def run_stored_step(
    step: Step,
    spec: SearchSpec,
    inputs: Mapping[str, Path],
    workspace: Path,
    progress: Progress,
    *,
    owner: str,
) -> Path:
    """Run the step if it is not finished, and return its finished folder, with at least the JSON files.

    Args:
        step: the step.
        spec: a spec with a store.
        inputs: for each input, a folder with at least its record.
        workspace: an empty local folder.
        progress: receives progress reports.
        owner: the pipeline run; another attempt of it takes over at once.
    """
    store = spec_store(spec)
    store.ensure()

    def log(text: str) -> None:
        progress.log(f"{step.name}: {text}")

    def was_finished(folder: Path) -> bool:
        record = finished(store, step_location(folder.name), StepRecord)
        if record is not None:
            pull(store, step_location(folder.name), record, folder, wanted=is_light)
        return record is not None

    @contextmanager
    def hold(folder: Path) -> Iterator[str | None]:
        if was_finished(folder):
            yield None
            return
        with leased(store, f"{LEASES}/{folder.name}", owner, log):
            if was_finished(folder):  # finished by the process that this one waited for
                yield None
                return
            with attempting(folder, store, step_location(folder.name), StepRecord, log=log) as attempt:
                run_id(folder)
                with _failing_once(folder, owner):
                    attempt.store_now()  # before anything is created that refers to it
                    yield attempt.name

    folders = {name: _fetch(store, name, inputs[name], workspace, progress) for name in step.inputs}
    return run_step(step, spec, folders, workspace, progress, hold)


@contextmanager
def _failing_once(folder: Path, owner: str) -> Iterator[None]:
    """Make later attempts of a run fail at once if they cannot succeed, since Kubeflow Pipelines retries any failure.

    Raises:
        CellwrightError: an earlier attempt of the run failed in this way; the message is the same.
    """
    path = folder / Failure.FILE
    if path.exists():
        failure = Failure.load(path)
        if failure.run == owner:
            raise CellwrightError(failure.problem)
        path.unlink()
    try:
        yield
    except (DataError, DivergedError, RefusedError) as error:
        Failure(run=owner, problem=str(error)).save(path)
        raise


def clean_up(spec: SearchSpec, owner: str, progress: Progress) -> None:
    """Delete what an unsuccessful run has left on the cluster, and release its leases in the store."""
    runner_class(spec.runner).clean_up(spec, owner, progress.log)
    if spec.store is not None:
        release(spec_store(spec), LEASES, owner)


def owned(spec: SearchSpec, owner: str) -> SearchSpec:
    """Return the spec with a runner that labels what it creates with the pipeline run."""
    return spec.model_copy(update={"runner": spec.runner.owned_by(owner)})


def search_manifest(spec: SearchSpec) -> Mapping[str, Any]:
    """Return the Kubernetes object that a spec's search would create; raises CellwrightError if there is none."""
    if spec.strategy.continues:
        raise CellwrightError(
            f"strategy.kind must not be {spec.strategy.kind} for a search that is created by hand: its trials continue "
            "earlier ones"
        )
    start = start_candidates(spec, candidate_space(spec)) if spec.is_sampled else ()
    return runner_class(spec.runner).manifest(spec, SearchSettings.of(spec, start))


def stage_search(spec: SearchSpec, workspace: Path, progress: Progress) -> None:
    """Prepare the data and store it for an Experiment that is created by hand from the spec's manifest."""
    data = run_until("prepare", spec, workspace, progress)["prepare"]
    runner_class(spec.runner).stage(spec, trials_of(spec, data, workspace, progress))


def spec_store(spec: SearchSpec) -> Store:
    """Return the spec's store."""
    assert spec.store is not None
    return store_of(spec.store)


def fetch_step(spec: SearchSpec, step: str, record_folder: Path, workspace: Path, progress: Progress) -> Path:
    """Download the finished folder of a step from the spec's store; the record folder has at least its record."""
    return _fetch(spec_store(spec), step, record_folder, workspace, progress)


def copy_light(folder: Path, target: Path) -> None:
    """Copy the JSON files of a finished step, which include the location of the others."""
    for file in folder.rglob("*.json"):
        write_text(target / file.relative_to(folder), file.read_text(encoding="utf-8"))


def is_light(name: str) -> bool:
    """Return whether a file of a finished step is small: for people, or for decisions in other steps."""
    return name.endswith((".json", ".jsonl"))


def _fetch(store: Store, step: str, record_folder: Path, workspace: Path, progress: Progress) -> Path:
    """Download the finished folder of an earlier step from the store, with the files that other steps need."""
    record = StepRecord.load(record_folder / StepRecord.FILE)
    if record.step != step:
        raise CellwrightError(f"{record_folder / StepRecord.FILE}: step must be {step}, got {record.step}")
    folder = workspace / f"{step}-{record.key}"
    location = step_location(folder.name)
    progress.log(f"reading {folder.name} from the store")
    stored = finished(store, location, StepRecord)
    if stored is None:
        raise CellwrightError(
            f"{location} must be in the store, and is not: run the pipeline without KFP's cache"
        )
    if stored.seal != record.seal:
        raise CellwrightError(
            f"{location}/{StepRecord.FILE} must have the seal {record.seal}, as the earlier step gave it on, and has "
            f"{stored.seal}: it was replaced"
        )
    files = STEPS[step].files
    pull(
        store, location, stored, folder, wanted=lambda name: files is None or name in files or is_light(name)
    )
    return folder
