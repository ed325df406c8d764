"""Searches as processes with the identity of a search step, and what they leave."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

STORE = {"uri": "s3://cellwright/test", "endpoint": "http://s3.platform:9000", "secret": "cellwright-store"}
PROFILE = {"cpu": "1", "cpu_request": "150m", "memory": "1Gi", "service_account": "cellwright-trial"}

SAMPLED = {
    "name": "evolved",
    "data": {"source": "digits"},
    "space": {"kind": "darts", "num_cells": 2, "channels": 4, "num_nodes": 2},
    "strategy": {"kind": "regularized-evolution", "population": 4, "sample": 2},
    "budget": {"evaluations": 8, "finalists": 2, "fresh_seeds": 1},
    "estimators": [{"kind": "short-training", "epochs": 2}],
    "constraints": {"params": 5000},
    "retrain": {"epochs": 2},
    "runner": {"parallel": 3},
    "resources": {"cpu": 1},
}

ONE_SHOT = {
    "name": "one-shot",
    "data": {"source": "digits"},
    "space": {"kind": "darts", "num_cells": 2, "channels": 4, "num_nodes": 2},
    "strategy": {"kind": "beta-darts", "batch_size": 96},
    "budget": {"epochs": 2},
    "retrain": {"epochs": 2},
    "resources": {"cpu": 1},
}

TABULAR = {
    "name": "tabular",
    "data": {"source": "digits"},
    "space": {"kind": "nasbench201"},
    "strategy": {"kind": "random"},
    "budget": {"evaluations": 30, "finalists": 1, "fresh_seeds": 1},
    "estimators": [{"kind": "tabular"}],
    "runner": {"parallel": 6},
    "resources": {"cpu": 1},
}


def on(
    kind: str, spec: dict[str, Any], *, profile: dict[str, Any] | None = None, **runner: Any
) -> dict[str, Any]:
    """Return the spec with its trials on the cluster."""
    resources = {**PROFILE, **(profile or {})}
    section = {**spec.get("runner", {}), "kind": kind, "resources": resources, **runner}
    return {**spec, "name": f"{spec['name']}-{kind}", "runner": section, "store": STORE}


class Search:
    """A search under way."""

    def __init__(self, spec: dict[str, Any], folder: Path, identity: Path | None = None) -> None:
        self.name = spec["name"]
        self.folder = folder
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.name}.yaml"
        path.write_text(yaml.safe_dump(spec))
        self.command = [sys.executable, "-m", "cellwright", "search", str(path), "--runs", str(folder)]
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if identity is not None:
            self.environment["KUBECONFIG"] = str(identity)
        self.log = folder / f"{self.name}.log"
        self.begin()

    def begin(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=subprocess.STDOUT, env=self.environment
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def text(self) -> str:
        return self.log.read_text()

    def until(self, condition: Callable[[], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended too early: {self.text()}"
            assert time.monotonic() < deadline, f"not within {seconds} s: {self.text()}"
            time.sleep(0.5)

    def finish(self, seconds: float = 400) -> Path:
        """Wait until it ends well, and return its folder."""
        assert self.process.wait(seconds) == 0, self.text()
        (folder,) = (self.folder / self.name).glob("search-*")
        return folder

    def problem(self, seconds: float = 120) -> str:
        """Wait until it gives up, and return what it says then."""
        assert self.process.wait(seconds) == 1, self.text()
        return self.text().strip().splitlines()[-1]


def evaluations(folder: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """Return what a search learnt, but for the time that it took."""
    lines = map(json.loads, (folder / "evaluations.jsonl").read_text().splitlines())
    measured = ({**line, "seconds": line["seconds"] > 0, "crc32": None} for line in lines)
    return {(line["number"], line["repeat"]): line for line in measured}


def found(folder: Path) -> dict[str, Any]:
    return {name: json.loads((folder / "search.json").read_text())[name] for name in ("genotype", "score")}
