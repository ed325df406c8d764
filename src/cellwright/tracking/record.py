"""The values that go into the tracker and come out of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy.typing as npt

KEY_TAG = "cellwright.run"
"""Tag of MLflow runs, logged models and model versions that holds the key of the pipeline run."""

TRIAL_TAG = "cellwright.trial"
"""Tag of nested MLflow runs that holds the key of the trial."""

EXTRA_FILES = "extra_files"
"""The folder of a registered model that has the files beside it, as MLflow names it."""

KEY_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,249}")


Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
Curves = Mapping[str, Sequence[tuple[int, float]]]
"""Metric name to (step, value)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What one MLflow run holds, whether of a pipeline run or of a trial."""

    key: str
    """Identifies the run: a second call with the same key finds the MLflow run of the first."""
    name: str
    params: Mapping[str, str]
    """Values beyond MLflow's limit are cut."""
    tags: Mapping[str, str]
    curves: Curves
    metrics: Mapping[str, float]

    def __post_init__(self) -> None:
        if both := self.curves.keys() & self.metrics.keys():
            raise ValueError(f"a name is either a curve or a metric, got both for {', '.join(sorted(both))}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRecord(Record):
    """A trial that has ended: an MLflow run nested in that of the pipeline run. Its key is unique among its trials."""

    status: Status
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord(Record):
    """A pipeline run; its params are the flattened spec, so the whole spec should be among the artifacts."""

    artifacts: Mapping[str, Path]
    """Path inside the MLflow run to the local file or folder that goes there."""
    trials: Sequence[TrialRecord] = ()
    """In the order in which they ended."""
    note: str = ""
    """Description of the run, as Markdown."""
    tables: Sequence[str] = ()
    """Names of artifacts that MLflow shows as tables, as it logs them itself."""

    def __post_init__(self) -> None:
        Record.__post_init__(self)
        require_key(self.key)


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredModel:
    """A version in MLflow's model registry."""

    name: str
    version: int
    alias: str | None
    """`champion` or `challenger`; None once a newer version took the alias."""
    has_champion: bool = True
    """Whether any version is the champion; a login may be without the right to make one."""

    @property
    def uri(self) -> str:
        """Return what `mlflow.pyfunc.load_model` takes."""
        return f"models:/{self.name}@{self.alias}" if self.alias else f"models:/{self.name}/{self.version}"


def require_key(key: str) -> None:
    """Refuse a key that an MLflow search filter could not hold."""
    if not KEY_PATTERN.fullmatch(key):
        raise ValueError(f"key must match {KEY_PATTERN.pattern}, got {key!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedColumns:
    """A model that takes named columns rather than one array, as ONNX that takes each by its name."""

    onnx: Path
    example: "Mapping[str, npt.NDArray[Any]]"
    """A few rows: a one-dimensional array for each column, of numbers or of texts."""
    predictions: Sequence[str | float]
    """What the model must predict for them: names of classes or of labels, or numbers."""

    @property
    def has_classes(self) -> bool:
        """Return whether predictions are names of classes or labels."""
        return isinstance(self.predictions[0], str)
