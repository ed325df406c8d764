"""Where the time of a pipeline's run on Kubeflow goes: `python -m benchmarks.pipeline_overhead RUN s3://BUCKET/PREFIX`.

For each step, from when the one before it had ended: until its pod was created (KFP's driver decides what to run),
until its container began (init containers), its work as the step itself measured it, and what is left (imports,
the store, KFP's launcher). What comes before the first step's driver, KFP's drivers of the run as a whole, is the
run's start and told apart.
"""

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

from cellwright.results import StepRecord
from cellwright.stores import finished, open_store

BEFORE = {
    "prepare": (),
    "search": ("prepare",),
    "retrain": ("search",),
    "baselines": ("search",),
    "evaluate": ("retrain", "baselines"),
    "register": ("evaluate",),
    "finish": ("register",),
}


def main(run_id: str, store_uri: str) -> None:
    selector = f"pipeline/runid={run_id}"
    command = ["kubectl", "get", "pods", "-n", "kubeflow", "-l", selector, "-o", "json"]
    pods = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["items"]
    main_pods = {
        pod["metadata"]["labels"]["cellwright.dev/step"]: pod
        for pod in sorted(pods, key=created)
        if "cellwright.dev/step" in pod["metadata"]["labels"]
    }
    began = min(created(pod) for pod in pods)
    started = min(created(pod) for pod in pods if "-container-driver-" in pod["metadata"]["name"])
    ended: dict[str, datetime] = {}
    worked = work(store_uri)
    print("| step | to its pod | to its container | its work | the rest | beyond its work |")
    print("|---|---|---|---|---|---|")
    for step, before in BEFORE.items():
        pod = main_pods[step]
        (state,) = (c["state"] for c in pod["status"]["containerStatuses"] if c["name"] == "main")
        times = {name: seen(state["terminated"][name]) for name in ("startedAt", "finishedAt")}
        ended[step] = times["finishedAt"]
        start = max((ended[name] for name in before), default=started)
        parts = [
            (created(pod) - start).total_seconds(),
            (times["startedAt"] - created(pod)).total_seconds(),
            worked.get(step, 0.0),
        ]
        rest = (times["finishedAt"] - times["startedAt"]).total_seconds() - parts[2]
        beyond = parts[0] + parts[1] + rest
        print(f"| {step} | " + " | ".join(f"{value:.0f} s" for value in (*parts, rest, beyond)) + " |")
    whole = (ended["finish"] - began).total_seconds()
    print(f"\nFrom the first pod to the last step's end: {whole:.0f} s, of which the run's start ", end="")
    print(f"took {(started - began).total_seconds():.0f} s.")


def work(store_uri: str) -> dict[str, float]:
    """Return the seconds that each step in the store says it took."""
    store = open_store(store_uri)
    folders = {name.partition("/")[0] for name in store.sizes("steps")}
    records = [finished(store, f"steps/{folder}", StepRecord) for folder in folders]
    return {record.step: record.seconds for record in records if record}


def created(pod: dict[str, Any]) -> datetime:
    return seen(pod["metadata"]["creationTimestamp"])


def seen(time: str) -> datetime:
    return datetime.fromisoformat(time)


if __name__ == "__main__":
    main(*sys.argv[1:])
