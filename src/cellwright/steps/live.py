"""Logs the curves and trials of a running step to MLflow.

This applies to MLflow servers only, where someone may be watching. A local database gets everything from `register`.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.progress import Progress
from cellwright.spec import SearchSpec
from cellwright.spec.platform import KFP_RUN_TAG
from cellwright.step_list import Step
from cellwright.steps import Inputs
from cellwright.steps.record import run_key, run_record
from cellwright.tracking import LiveLogging, MlflowTracker, Pace, Status, Target, is_server, mlflow_retry
from cellwright.training import parallel

PACE = Pace()
SECONDS_AT_END = 60.0
"""How long a finished pipeline waits for an unavailable MLflow server, in seconds."""


def logged_live(
    step: Step, spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress
) -> AbstractContextManager[object]:
    """Log the results in a step's folder while the block runs, if the step is declared so.

    Args:
        step: the step.
        spec: the whole spec.
        inputs: the step's input folders.
        folder: the step's own folder.
        progress: receives a message if logging fails.
    """
    uri = spec.tracking.uri
    if not (step.is_logged_live and uri and is_server(uri) and parallel.is_first()):
        return nullcontext()
    folders = {**inputs, step.name: folder}
    try:
        key = run_key(spec, folders["search"])
    except CellwrightError as error:
        progress.log(f"{step.name}: logs nothing before the end: {error}")
        return nullcontext()
    return LiveLogging(
        Target(uri=uri, experiment=spec.tracking.experiment or spec.name, run_id=spec.tracking.run_id),
        lambda: run_record(spec, key, folders),
        lambda message: progress.log(f"{step.name}: {message}"),
        PACE,
    )


def end_logged(spec: SearchSpec, kfp_run_id: str, status: Status, progress: Progress) -> None:
    """Set the final status of a pipeline's MLflow runs that are still running; KFP's plugin ends its own."""
    uri = spec.tracking.uri
    if not (uri and is_server(uri)) or spec.tracking.run_id is not None:
        return
    try:
        tracker = MlflowTracker(
            uri=uri,
            experiment=spec.tracking.experiment or spec.name,
            retry=mlflow_retry(seconds=SECONDS_AT_END, log=progress.log),
        )
        tracker.end_runs(KFP_RUN_TAG, kfp_run_id, status)
    except CellwrightError as error:
        progress.log(f"finish: {error}; its run is left as running")
