"""The tracker: one MLflow run per pipeline run, one model version per pipeline run."""

import contextlib
import io
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from cellwright.tracking._record import RegisteredModel, RunRecord, require_key
from cellwright.tracking._staging import staged
from cellwright.tracking._uri import sqlite_path, without_credentials

if TYPE_CHECKING:
    import numpy as np
    import torch
    from mlflow.entities import Metric, Run

KEY_TAG = "cellwright.run"

T = TypeVar("T")


class MlflowTracker:
    """Writes to one MLflow experiment, which is made on first use.

    Everything can be called again after a kill at any point: what is there is found by its key and completed.
    """

    def __init__(self, *, uri: str, experiment: str, artifact_location: str | None = None):
        """Connect, and make what is missing.

        Args:
            uri: `sqlite:///path/mlflow.db` on one machine, else the `http(s)` address of an MLflow server.
            experiment: Name of the MLflow experiment.
            artifact_location: Where a new experiment keeps its files. Unless said, the folder `artifacts`
                beside a SQLite database, and on a server what the server says.
        """
        from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH
