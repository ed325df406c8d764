"""The command line under torchrun."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cellwright.cli.runs import run
from cellwright.errors import CellwrightError
from cellwright.folders import locked
from cellwright.results import SearchResult

TORCHRUN = Path(sys.executable).with_name("torchrun")
SPEC = """
name: tiny
data: {source: digits, limit: 60}
space: {kind: darts, num_nodes: 1, num_cells: 2, channels: 4, primitives: [skip_connect, sep_conv_3x3]}
strategy: {kind: darts, batch_size: 15}
budget: {epochs: 2}
resources: {cpu: 1}
"""


def torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [TORCHRUN, "--standalone", "--nproc-per-node", "2", "-m", "cellwright", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )


def found(folder: Path) -> SearchResult:
    (result,) = folder.glob("tiny/search-*/search.json")
    return SearchResult.load(result)


def test_two_processes_find_what_one_finds_and_one_of_them_prints(cellwright, spec, tmp_path):
    spec.write_text(SPEC)
    together = torchrun(tmp_path, "search", "search.yaml", "--runs", "two")
    assert together.returncode == 0, together.stderr
    alone = cellwright("search", spec, "--runs", "one")
    without_metrics = [
        [
            re.sub(r" *\d+ s\b", "", line.partition(" train_loss")[0])
            for line in output.splitlines()
            if not any(words in line for words in ("Found in", " batches=", "alphas", "random architectures"))
        ]
        for output in (together.stdout, alone.stdout.replace("one/", "two/"))
    ]
    assert without_metrics[0] == without_metrics[1]
    ours, theirs = found(tmp_path / "two"), found(tmp_path / "one")
    assert ours.genotype == theirs.genotype
    assert abs(ours.history[-1].metrics["train_loss"] - theirs.history[-1].metrics["train_loss"]) < 1e-5


def test_the_error_of_one_process_ends_all_and_is_printed_once(spec, tmp_path):
    with locked(tmp_path / "runs" / "tiny"):
        result = torchrun(tmp_path, "search", "search.yaml")
    assert result.returncode == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    holder = f"process {os.getpid()} on {os.uname().nodename}"
    assert errors == [f"error: runs/tiny must be used by one process at a time: {holder} is using it"]


def test_the_whole_pipeline_starts_its_processes_itself(spec, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(CellwrightError, match="run must be started once, .* got 2 processes"):
        run(spec)
