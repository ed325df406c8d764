"""What the body of a component calls: one step, run in a process of its own.

The process tells what it does in lines on its standard output, which end up in the pod's log or with the
parent of a local run. It ends by itself when nobody reads them any more: kfp.local starts steps through a
shell, so a parent that is killed has no other way to take them along.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cellwright.files import link_tree
from cellwright.report import LineProgress, ending_in_words, naming
from cellwright.results import EvaluationResult
from cellwright.spec import parse_spec
from cellwright.tether import die_with_peer

if TYPE_CHECKING:
    from kfp import dsl


def run(step: str, spec: str, workspace: str, *, inputs: Mapping[str, str], output: str) -> None:
    """Run the step in the workspace and link its finished folder to `output`.

    Args:
        step: name of the step.
        spec: the whole spec, as JSON.
        workspace: folder of finished and begun steps.
        inputs: folders of the steps it reads, by step name.
        output: where the finished folder shall stand.

    Raises:
        SystemExit: the user has something to mend, which the last line says.
    """
    die_with_peer(sys.stdout.fileno())
    progress = LineProgress(sys.stdout)
    try:
        with ending_in_words(progress), naming(Path(workspace)):
            from cellwright.steps import STEPS, run_step

            folders = {name: Path(path) for name, path in inputs.items()}
            completed = parse_spec(spec).completed(os.environ)
            folder = run_step(STEPS[step], completed, folders, Path(workspace), progress)
            link_tree(folder, Path(output))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def publish_scores(scores: str, metrics: "dsl.Metrics", confusion: "dsl.ClassificationMetrics") -> None:
    """Copy what KFP's page can show out of the evaluation's folder."""
    result = EvaluationResult.load(Path(scores) / "evaluation.json")
    metrics.log_metric("num_test_examples", result.num_examples)
    for score in (result.found, *result.baselines):
        metrics.log_metric(f"{score.name}_test_accuracy", score.accuracy)
        metrics.log_metric(f"{score.name}_params", score.params)
    names = [scores.name for scores in result.classes]
    confusion.log_confusion_matrix(names, [list(row) for row in result.confusion])


def report_end(state: str) -> None:
    """Tell the pipeline's final state, SUCCEEDED, FAILED or CANCELLED."""
    LineProgress(sys.stdout).say(f"pipeline: {state.lower()}")
