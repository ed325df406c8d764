"""What is left of a race that is asked to end (SIGTERM) before its budget is spent.

The final training of one race on Fashion-MNIST is stopped after a share of its steps, and what it leaves,
`stopped/model.onnx`, is tested on all test images; then it resumes, to the next share. Beside it are races that have
that share of the budget from the start. A finished share is a line of the results; a command that was killed resumes.
"""

import argparse
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from onnxruntime import InferenceSession

from benchmarks.fashion_data import DEFAULT_FOLDER, fashion_data
from benchmarks.hand_designed import FASHION
from benchmarks.outcomes import append_outcome, load_outcomes, markdown
from benchmarks.race import plan_of, plans_beside, run_cell, spec_of, train
from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.progress import Silent
from cellwright.results import ONNX, Result
from cellwright.steps.running import run_until
from cellwright.training.stopped_network import STOPPED

SECONDS, SEED = 90.0, 0
"""SECONDS is the default budget."""
SHARES = (0.25, 0.5, 0.75)
BATCH = 500
WORKSPACE = Path("runs/stopping")
RESULTS = Path("docs/benchmarks/stopping.jsonl")


class Outcome(Result):
    """What was left after a share of the training."""

    seconds: float
    """The whole budget."""
    share: float
    reached: float
    """The share at which SIGTERM was sent: training reports at the end of each epoch."""
    stopped: float
    """Test accuracy of what was left then."""
    planned: float
    """Test accuracy of a race whose whole budget is the share that was reached."""


@dataclass
class Stopping(Silent):
    """Sends SIGTERM to this process once a share of the final training is done."""

    share: float
    reached: float = 0.0

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        if task == "train found":
            self.reached = done / total
            if self.reached >= self.share:
                os.kill(os.getpid(), signal.SIGTERM)


def run_share(budget: float, share: float, fashion: Path, plans: Path) -> Outcome:
    """Train to the share, from where the one before was stopped, and test what is left."""
    source = fashion_data(fashion)
    spec, progress = spec_of(source, budget, SEED), Stopping(share)
    data = PreparedData.open(run_until("prepare", spec, WORKSPACE, progress)["prepare"])
    try:
        train(spec, plan_of(FASHION, spec, plans), WORKSPACE, progress)
    except SystemExit:
        left = max(WORKSPACE.glob(f"trained-*/{STOPPED}/{ONNX}"), key=lambda path: path.stat().st_mtime)
    else:
        raise RuntimeError(f"the training ended before {share:.0%} of it was done")
    return Outcome(
        seconds=budget,
        share=share,
        reached=progress.reached,
        stopped=accuracy(left, data),
        planned=run_cell(FASHION, source, progress.reached * budget, SEED, plans).test_accuracy,
    )


def accuracy(model: Path, data: PreparedData) -> float:
    """Return the share of test images that an ONNX model gets right."""
    session = InferenceSession(model)
    name = session.get_inputs()[0].name
    (images,) = data.test[:].inputs
    outputs = [session.run(None, {name: part.numpy()})[0].argmax(axis=1) for part in images.split(BATCH)]
    return float((np.concatenate(outputs) == data.test.targets.numpy()).mean())


def report(outcomes: Sequence[Outcome]) -> str:
    """Return the page."""
    rows = [
        ["budget, s", "stopped after", "test accuracy, %", "planned for that time", "difference"],
        ["--:"] * 5,
    ]
    rows += [
        [
            f"{one.seconds:g}",
            f"{one.reached:.0%}",
            f"{100 * one.stopped:.2f}",
            f"{100 * one.planned:.2f}",
            f"{100 * (one.stopped - one.planned):+.2f}",
        ]
        for one in outcomes
    ]
    return (
        "# A race that is stopped\n\n"
        f"A race on 10,000 images of Fashion-MNIST, seed {SEED}, is asked to end (SIGTERM) during its final training. "
        "What it\nleaves, `stopped/model.onnx`, is tested on all test images, next to a race that has that share of "
        "the budget\nfrom the start. The same training then resumes, to the next share. Budgets are CPU seconds of one "
        f"thread.\n\n{markdown(rows)}\n"
        "`python -m benchmarks.stopping --seconds BUDGET` makes this page, and resumes with the missing shares.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--fashion", type=Path, default=DEFAULT_FOLDER, help="where Fashion-MNIST is, or is put"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="the whole budget")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    WORKSPACE.mkdir(parents=True, exist_ok=True)
    for share in SHARES:
        done = load_outcomes(given.results, Outcome)
        if not any((one.seconds, one.share) == (given.seconds, share) for one in done):
            append_outcome(
                given.results, run_share(given.seconds, share, given.fashion, plans_beside(given.results))
            )
        write_text(given.results.with_suffix(".md"), report(load_outcomes(given.results, Outcome)))


if __name__ == "__main__":
    main()
