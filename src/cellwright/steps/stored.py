"""Steps whose workspace is in a store: each is done in a folder of its own machine, which the store's copy follows.

So steps on different machines share no volume, one that is killed resumes from its checkpoint elsewhere, and of several
that want the same step done at once, one does it and the others wait for it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cellwright.errors import CellwrightError, DataError, DivergedError
from cellwright.files import write_text
from cellwright.katib.settings import SearchSettings
from cellwright.progress import Progress
from cellwright.results import Result, StepRecord
from cellwright.runners import run_id, runner_class, step_place
from cellwright.search.candidates import candidate_space
from cellwright.search.trial import trials_of
from cellwright.search.warm_start import start_candidates
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS, Step
from cellwright.steps.running import run_step, run_until
from cellwright.stores import LEASES, Store, attempting, finished, leased, pull, release, store_of


class Failure(Result):
    """`failed.json`: a failure of a run's step that another attempt would repeat."""

    FILE = "failed.json"

    run: str
    """The run of the pipeline."""
    mistake: str


def run_stored_step(
    step: Step,
    spec: SearchSpec,
    inputs: Mapping[str, Path],
    workspace: Path,
    progress: Progress,
    *,
    owner: str,
) -> Path:
    """Return the step's finished folder, of which at least the JSON files are here.

    Args:
        step: what to do.
        spec: with a store.
        inputs: for each step that it reads, a folder with at least its record.
        workspace: an empty folder of this machine.
        progress: told how far it is.
        owner: the run of the pipeline; another attempt of it takes over at once.
    """
    store = spec_store(spec)
    store.ensure()

    def say(text: str) -> None:
        progress.say(f"{step.name}: {text}")

    def was_finished(folder: Path) -> bool:
        record = finished(store, step_place(folder.name), StepRecord)
        if record is not None:
            pull(store, step_place(folder.name), record, folder, wanted=is_light)
        return record is not None

    @contextmanager
    def hold(folder: Path) -> Iterator[str | None]:
        if was_finished(folder):
            yield None
            return
        with leased(store, f"{LEASES}/{folder.name}", owner, say):
            if was_finished(folder):  # by whom this waited for
                yield None
                return
            with attempting(folder, store, step_place(folder.name), StepRecord, say=say) as attempt:
                run_id(folder)
                with _failing_once(folder, owner):
                    attempt.store_now()  # before anything is created in its name
                    yield attempt.name

    folders = {name: _fetch(store, name, inputs[name], workspace, progress) for name in step.inputs}
    return run_step(step, spec, folders, workspace, progress, hold)


@contextmanager
def _failing_once(folder: Path, owner: str) -> Iterator[None]:
    """Have later attempts of a run fail at once where one cannot succeed: Kubeflow Pipelines retries any failure.

    Raises:
        CellwrightError: an earlier attempt of the run has failed so; the message is the same.
    """
    path = folder / Failure.FILE
    if path.exists():
        failure = Failure.load(path)
        if failure.run == owner:
            raise CellwrightError(failure.mistake)
        path.unlink()
    try:
        yield
    except (DataError, DivergedError) as error:
        Failure(run=owner, mistake=str(error)).save(path)
        raise


def clean_up(spec: SearchSpec, owner: str, progress: Progress) -> None:
    """Delete what a run that did not end well has left on the cluster, and free what it held in the store."""
    runner_class(spec.runner).clean_up(spec, owner, progress.say)
    if spec.store is not None:
        release(spec_store(spec), LEASES, owner)


def owned(spec: SearchSpec, owner: str) -> SearchSpec:
    """Return the spec, whose search labels what it creates on a cluster with the run of the pipeline."""
    return spec.model_copy(update={"runner": spec.runner.owned_by(owner)})


def search_manifest(spec: SearchSpec) -> Mapping[str, Any]:
    """Return what a spec's search would create on a cluster; raises CellwrightError where it creates nothing."""
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


def copy_light(folder: Path, target: Path) -> None:
    """Copy the JSON files of a finished step, which tell where the others are."""
    for file in folder.rglob("*.json"):
        write_text(target / file.relative_to(folder), file.read_text(encoding="utf-8"))


def is_light(name: str) -> bool:
    """Return whether a file of a finished step is for people and for other steps' decisions."""
    return name.endswith((".json", ".jsonl"))


def _fetch(store: Store, step: str, record_folder: Path, workspace: Path, progress: Progress) -> Path:
    """Return the finished folder of an earlier step, brought here from the store, with the files that others need."""
    record = StepRecord.load(record_folder / StepRecord.FILE)
    if record.step != step:
        raise CellwrightError(f"{record_folder / StepRecord.FILE}: step must be {step}, got {record.step}")
    folder = workspace / f"{step}-{record.key}"
    place = step_place(folder.name)
    progress.say(f"reading {folder.name} from the store")
    stored = finished(store, place, StepRecord)
    if stored is None:
        raise CellwrightError(
            f"{place} must be in the store, and is not: run the pipeline without KFP's cache"
        )
    if stored.seal != record.seal:
        raise CellwrightError(
            f"{place}/{StepRecord.FILE} must have the seal {record.seal}, as the earlier step gave it on, and has "
            f"{stored.seal}: it was replaced"
        )
    files = STEPS[step].files
    pull(store, place, stored, folder, wanted=lambda name: files is None or name in files or is_light(name))
    return folder
