"""Runs one step in its own process; called by the body of each component.

The process reports its progress as lines on standard output, which go to the pod's log or to the parent of a local
run. It exits when nobody reads them any more: kfp.local starts steps through a shell, so there is no other way for a
killed parent to end them.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellwright.account import complete_account
from cellwright.exit_with_parent import exit_with_peer
from cellwright.files import link_tree, write_text
from cellwright.report.lines import LineProgress
from cellwright.report.user_errors import exit_on_user_error, explain_full_disk
from cellwright.results import EvaluationResult
from cellwright.spec import unpack_spec
from cellwright.step_list import STEPS

if TYPE_CHECKING:
    from kfp import dsl


def run(
    step: str,
    spec: str,
    workspace: str,
    run_id: str,
    *,
    inputs: "Mapping[str, dsl.Artifact]",
    output: "dsl.Artifact",
    page: "dsl.HTML | None" = None,
    metrics: "dsl.Metrics | None" = None,
) -> None:
    """Run the step, and fill `output` from its finished folder.

    With a local workspace, these are all files of the folder. If the workspace is in a store, these are only its JSON
    files, which name the location of the others.

    Args:
        step: name of the step.
        spec: the spec, as packed by `pack_spec`.
        workspace: folder of finished and unfinished steps; by default, the spec's store.
        run_id: id of the pipeline run.
        inputs: outputs of earlier steps, by step name.
        output: the artifact to fill.
        page: the visualisation for KFP's UI.
        metrics: the metrics for KFP's UI.

    Raises:
        SystemExit: an error that the user can fix; the last line names it.
    """
    with _process() as (progress, scratch):
        from cellwright.importing import load_object
        from cellwright.runners import step_location
        from cellwright.steps.running import run_step
        from cellwright.steps.stored import copy_light, owned, run_stored_step

        declared = STEPS[step]
        location = Path(workspace) if workspace else scratch
        completed = unpack_spec(spec).completed(os.environ, kfp_run_id=None if workspace else run_id)
        loaded = owned(completed, run_id)
        folders = {name: Path(artifact.path) for name, artifact in inputs.items()}
        with explain_full_disk(location):
            if loaded.store is None or workspace:
                folder = run_step(declared, loaded, folders, location, progress)
                link_tree(folder, Path(output.path))
            else:
                folder = run_stored_step(declared, loaded, folders, location, progress, owner=run_id)
                copy_light(folder, Path(output.path))
                output.metadata["place"] = f"{loaded.store.uri}/{step_location(folder.name)}"
            if page is not None and declared.page and not workspace:  # no one sees that of a local run
                write_text(Path(page.path), load_object(declared.page)(folder, loaded.seed))
            if metrics is not None and declared.metrics:
                for name, value in load_object(declared.metrics)(folder).items():
                    metrics.log_metric(name, value)


def run_decision(
    spec: str,
    workspace: str,
    run_id: str,
    *,
    data: "dsl.Artifact",
    output: "dsl.Artifact",
    chosen: str,
) -> str:
    """Decide what the run does, and write the spec of the steps that follow.

    Args:
        spec: the spec, as packed by `pack_spec`, with a policy.
        workspace: folder of finished and unfinished steps; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        output: the artifact to fill with the decision.
        chosen: path of the file for the packed spec.

    Returns:
        `nothing`, `retrain` or `search`.

    Raises:
        SystemExit: an error that the user can fix; the last line names it.
    """
    with _process() as (progress, scratch):
        from cellwright.policy import PolicyDecision
        from cellwright.spec import pack_spec
        from cellwright.steps.decide import decide_run, decided_spec
        from cellwright.steps.stored import fetch_step
        from cellwright.tracking.starting_models import with_tracking_uri

        given, folder = unpack_spec(spec), Path(data.path)
        completed = given.completed(os.environ, kfp_run_id=None if workspace else run_id)
        if completed.store is not None and not workspace:
            folder = fetch_step(completed, "prepare", folder, scratch, progress)
        decision = decide_run(with_tracking_uri(completed, Path(workspace)), folder, progress)
        progress.log(f"decide: {decision.sentence}")
        decision.save(Path(output.path) / PolicyDecision.FILE)
        write_text(Path(chosen), pack_spec(decided_spec(given, decision)))
        return decision.action


def publish_confusion(scores: "dsl.Artifact", confusion: "dsl.ClassificationMetrics") -> None:
    """Copy the confusion matrix to KFP's UI."""
    result = EvaluationResult.load(Path(scores.path) / EvaluationResult.FILE)
    if result.confusion is not None:
        names, counts = result.confusion.names, result.confusion.counts
        confusion.log_confusion_matrix(list(names), [list(row) for row in counts])


def end(spec: str, run_id: str, state: str) -> None:
    """Report the pipeline's final state, and clean up unless it is COMPLETE (on clusters) or SUCCEEDED (local)."""
    complete_account()
    progress = LineProgress(sys.stdout)
    progress.log(f"pipeline: {state.lower()}")
    if state in ("COMPLETE", "SUCCEEDED"):
        return
    loaded = unpack_spec(spec).completed(os.environ)
    with _in_words(progress):
        from cellwright.steps.live import end_logged
        from cellwright.steps.stored import clean_up

        clean_up(loaded, run_id, progress)
        end_logged(loaded, run_id, "KILLED" if state == "CANCELLED" else "FAILED", progress)


@contextmanager
def _process() -> Iterator[tuple[LineProgress, Path]]:
    """Yield the progress and a temporary folder of a process that ends with its parent and reports users' errors."""
    exit_with_peer(sys.stdout.fileno())
    complete_account()
    progress = LineProgress(sys.stdout)
    with _in_words(progress), tempfile.TemporaryDirectory(prefix="cellwright-") as scratch:
        yield progress, Path(scratch)


@contextmanager
def _in_words(progress: LineProgress) -> Iterator[None]:
    try:
        with exit_on_user_error(progress):
            yield
    except KeyboardInterrupt:
        raise SystemExit(130) from None
