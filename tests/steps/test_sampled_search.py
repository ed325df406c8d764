"""A sampled search as a user starts it, with real trials, killed in the middle."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cellwright.results import SearchResult

SPEC = """
name: small
data: {source: digits, limit: 200}
space: {kind: darts, num_nodes: 2, num_cells: 2, channels: 4, primitives: [skip_connect, max_pool_3x3, sep_conv_3x3]}
strategy: {kind: random}
budget: {evaluations: 3, finalists: 2, fresh_seeds: 1}
estimators: [{kind: short-training, epochs: 2}]
objectives: [{metric: accuracy}, {metric: params, direction: minimize}]
pick: {kind: weighted, weights: {accuracy: 1}}
runner: {parallel: 2}
retrain: {batch_size: 16}
tune: {when: with, values: {retrain.learning_rate: [0.004, 0.02], retrain.channels: [4, 6]}}
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    spec = folder / "small.yaml"
    spec.write_text(SPEC)
    return subprocess.Popen(
        [sys.executable, "-m", "cellwright", "search", str(spec), "--runs", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(folder: Path) -> str:
    process = start(folder)
    output, _ = process.communicate(timeout=250)
    assert process.returncode == 0, output
    return output


def journal(folder: Path) -> list[dict[str, Any]]:
    """Return the evaluations without what a clock measured, in the order of their numbers."""
    text = "".join(path.read_text() for path in folder.glob("small/search-*/evaluations.jsonl"))
    whole, _, _ = text.rpartition("\n")
    evaluations = [{**json.loads(line), "seconds": None} for line in whole.splitlines()]
    return sorted(evaluations, key=lambda e: (e["repeat"], e["number"]))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, finish(folder)


def test_it_ends_with_what_fresh_seeds_confirm(undisturbed: tuple[Path, str]):
    folder, output = undisturbed
    evaluations = journal(folder)
    assert [(e["state"], e["repeat"]) for e in evaluations] == [("done", 0)] * 3 + [("done", 1)] * 2
    assert all(len(e["curve"]) == 2 for e in evaluations)
    (path,) = folder.glob("small/search-*/search.json")
    found = SearchResult.load(path)
    fresh = {e["genotype"]: e["metrics"] for e in evaluations if e["repeat"]}
    best = max(fresh, key=lambda genotype: fresh[genotype]["accuracy"])
    assert found.validation_accuracy == fresh[best]["accuracy"]
    architecture, _, hyperparameters = best.partition(":tune~")
    assert found.genotype == architecture
    numbers = [int(word.rpartition("-")[2]) for word in hyperparameters.split("~")[1:]]
    values = {"retrain.learning_rate": (0.004, 0.02), "retrain.channels": (4, 6)}
    assert found.tuned == {
        name: choices[number] for (name, choices), number in zip(values.items(), numbers, strict=True)
    }
    assert "Best of 3 evaluations" in output
    assert not list(folder.glob("small/search-*/trial-*"))


def test_killed_in_the_middle_it_ends_in_the_same_place(undisturbed: tuple[Path, str], tmp_path: Path):
    process = start(tmp_path)
    deadline = time.monotonic() + 200
    while not journal(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    survived = journal(tmp_path)
    assert 0 < len(survived) < 5
    finish(tmp_path)
    assert journal(tmp_path) == journal(undisturbed[0])
