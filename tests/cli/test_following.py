"""A run on Kubeflow is followed as one on this machine is: states of steps, and what they log."""

import json
from itertools import chain, repeat
from typing import Any

import kubernetes
import pytest

from cellwright.progress import Update
from cellwright.report.lines import Advance, Message, write_line
from cellwright_pipelines import kubeflow
from cellwright_pipelines.records import _fnv1a
from tests.answering import HEALTHY, Answer, answering

RUN = "145ed304-937e-4ab0-be2a-def01541b69c"
BEGAN, ENDED = "2026-11-30T20:00:00Z", "2026-11-30T20:01:30Z"
NODE = f"wf-{_fnv1a('wf.root.exit-handler-1.search.executor(0)')}"
FIRST = [
    "time=1 a line of KFP's",
    write_line(Update("step", "search", "running")),
    write_line(Update("trial", "0", "running")),
    write_line(Update("trial", "0", "done", {"accuracy": 0.512345}, 0.512345)),
]
LAST = [
    write_line(Advance("search", 1, 2, {"best_accuracy": 0.512345, "minutes_left": 1.0})),
    write_line(Message("evaluate: found: 0.51")),
]


def run(state: str, step: str) -> dict[str, Any]:
    """Return what Kubeflow Pipelines says of a run with one step."""
    task = {
        "display_name": "search",
        "state": step,
        "start_time": BEGAN,
        "child_tasks": [{"pod_name": NODE}],
        **({"end_time": ENDED} if step == "SUCCEEDED" else {}),
    }
    return {
        "run_id": RUN,
        "display_name": "tiny",
        "state": state,
        "created_at": BEGAN,
        "run_details": {"task_details": [task]},
    }


@pytest.mark.parametrize("command", [("watch", RUN), ("status", RUN, "--follow")])
def test_states_trials_and_time_left_are_shown_once(cellwright, monkeypatch, tmp_path, command):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for module in (kubernetes.config, kubernetes.config.kube_config):
        monkeypatch.setattr(module, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.setattr(kubeflow.time, "sleep", lambda seconds: None)
    working = run("RUNNING", "RUNNING")
    runs = chain([working, working], repeat(run("SUCCEEDED", "SUCCEEDED")))
    logs = chain(["\n".join(FIRST), "\n".join([*FIRST, ""])], repeat("\n".join([*FIRST, *LAST, ""])))

    def answer(method: str, path: str) -> Answer:
        if path.endswith(f"/nodes/{NODE}/log"):
            return Answer(next(logs).encode(), "text/plain")
        return Answer(HEALTHY if "healthz" in path else json.dumps(next(runs)).encode())

    with answering(answer) as host:
        result = cellwright(*command, "--host", host)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "search: running",
        "trial 0: done, accuracy 0.5123",
        "search 1/2: best accuracy 0.5123, 60 s left",
        "evaluate: found: 0.51",
        "search: succeeded after 90 s",
        "succeeded: tiny",
    ]
