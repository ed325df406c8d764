"""Runs the whole pipeline on this machine, if there is anything to do. Importing this needs neither kfp nor torch."""

import os
from pathlib import Path

from cellwright.folders import locked
from cellwright.progress import Progress
from cellwright.report.lines import RUN_LOG
from cellwright.report.user_errors import explain_full_disk
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps.keys import finished_folders


def run_locally(spec: SearchSpec, workspace: Path, progress: Progress) -> dict[str, Path]:
    """Run the whole pipeline, and return the finished folders in the workspace, by step name.

    Finished steps in the workspace are reused. Where the spec's policy finds nothing to do, `prepare` is the only step.

    Raises:
        CellwrightError: a step reports an error that the user can fix, or was killed.
        RuntimeError: a step failed because of a bug; the message has its traceback.
    """
    workspace = workspace.resolve()
    with explain_full_disk(workspace), locked(workspace):
        finished = None if spec.policy else finished_folders(spec.completed(os.environ), workspace)
        if finished is not None:
            for step, folder in finished.items():
                progress.log(f"{step}: reusing {folder}")
            return finished
        progress.log(f"running {', '.join(STEPS)}; all output is in {workspace / RUN_LOG}")
        from cellwright_pipelines.local import run_pipeline

        return run_pipeline(spec, workspace, progress)
