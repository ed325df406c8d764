"""A model that one schedule trains three times, with new data in S3 before each run."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import yaml
from sklearn.datasets import load_digits

from tests.cluster.searching import STORE

NAME, DATA_BUCKET = "lifecycle", "cellwright-lifecycle"
SPEC: dict[str, Any] = {
    "name": NAME,
    "data": {
        "source": "npz",
        "path": f"s3://{DATA_BUCKET}/digits.npz",
        "endpoint": STORE["endpoint"],
    },
    "space": {"kind": "nasbench201", "num_cells": 1, "channels": 4},
    "strategy": {"kind": "random"},
    "estimators": [{"kind": "zero-cost"}],
    "objectives": [{"metric": "zico"}],
    "budget": {"evaluations": 2, "finalists": 1, "fresh_seeds": 1},
    "retrain": {"epochs": 1},
    "evaluate": {
        "baseline": {"random_architectures": 0, "hand_designed": None, "classical": []},
        "latency_repeats": 5,
    },
    # So wide that what was trained for a moment passes.
    "gate": {"rule": "non-inferiority", "margin": 0.99, "gain": 0, "promote": "manual"},
    "policy": {"score": None},
    "store": {**STORE, "uri": f"s3://{DATA_BUCKET}/store"},
    "tracking": {"uri": "http://mlflow.cellwright-system:5000", "secret": "mlflow-login"},
    "pipeline": {"service_account": "cellwright-pipeline"},
    "resources": {"cpu": 1, "cpu_request": "200m", "memory": "2Gi"},
}
RUNS = [  # the data before each run, and what the run then does
    (600, "search: there is no champion yet"),
    (900, "retrain: 900 examples, +50% beside those of version 1"),
    (930, "nothing: nothing asks for work"),
]


def put_data(examples: int) -> None:
    digits, content = load_digits(), io.BytesIO()
    images = digits.images[:examples].astype(np.uint8) * 15
    np.savez(content, images=images, labels=digits.target[:examples].astype(np.uint8))
    boto3.client("s3").put_object(Bucket=DATA_BUCKET, Key="digits.npz", Body=content.getvalue())


def empty_bucket() -> None:
    """Make the bucket of the data and of the store, or delete what it has."""
    client = boto3.client("s3", region_name="us-east-1")
    if DATA_BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=DATA_BUCKET)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=DATA_BUCKET):
        for item in page.get("Contents", ()):
            client.delete_object(Bucket=DATA_BUCKET, Key=item["Key"])


def three_runs(command: Callable[..., str], folder: Path) -> list[dict[str, Any]]:
    """Return what each run did; each version is promoted by hand."""
    path = folder / "lifecycle.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    found, version = [], 0
    put_data(RUNS[0][0])
    command("schedule", str(path), "--cron", "0 3 1 1 *")
    for examples, sentence in RUNS:
        put_data(examples)
        run_id = re.search(r"^run (\S+)", command("run-now", NAME), re.MULTILINE)[1]
        steps = json.loads(command("status", run_id, "--json"))["steps"]
        found.append({"log": command("logs", run_id, "decide"), "steps": steps})
        if not sentence.startswith("nothing"):
            version += 1
            command("promote", NAME, "--why", f"run {version}")
    command("unschedule", NAME)
    return found
