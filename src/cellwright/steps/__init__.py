"""The steps of the pipeline, each a function from typed inputs and folders to a folder."""

from collections.abc import Mapping
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.progress import Progress
from cellwright.search.manifests import trial_pods
from cellwright.search.runner import share
from cellwright.spec import SearchSpec
from cellwright.steps.baselines import BASELINES
from cellwright.steps.evaluate import EVALUATE
from cellwright.steps.live import end_logged
from cellwright.steps.prepare import PREPARE
from cellwright.steps.register import REGISTER
from cellwright.steps.retrain import RETRAIN
from cellwright.steps.search import SEARCH
from cellwright.steps.step import Step, run_step
from cellwright.steps.stored import clean_up, copy_light, owned, run_stored_step

STEPS: Mapping[str, Step] = {
    step.name: step for step in (PREPARE, SEARCH, RETRAIN, BASELINES, EVALUATE, REGISTER)
}
"""Every step, each after its inputs."""

__all__ = [
    "STEPS",
    "Step",
    "clean_up",
    "copy_light",
    "end_logged",
    "owned",
    "run_step",
    "run_stored_step",
    "run_until",
    "stage_search",
]


def run_until(name: str, spec: SearchSpec, workspace: Path, progress: Progress) -> dict[str, Path]:
    """Run the step and whatever it needs that is not finished; return the folders by step name.

    Raises:
        CellwrightError: the name is unknown, or a step cannot be done.
    """
    if name not in STEPS:
        raise CellwrightError(f"step must be one of {', '.join(STEPS)}, got {name!r}")
    folders: dict[str, Path] = {}
    for needed in _with_inputs(name):
        step = STEPS[needed]
        folders[needed] = run_step(step, spec, {i: folders[i] for i in step.inputs}, workspace, progress)
    return folders


def stage_search(spec: SearchSpec, workspace: Path, progress: Progress) -> None:
    """Prepare the data and store it for an Experiment that is created by hand from the spec's manifest."""
    data = run_until("prepare", spec, workspace, progress)["prepare"]
    share(spec, trial_pods(spec).search, data, workspace, progress)


def _with_inputs(name: str) -> list[str]:
    needed = {name}
    for step in reversed(tuple(STEPS.values())):
        if step.name in needed:
            needed.update(step.inputs)
    return [step for step in STEPS if step in needed]
