"""What a spec says about time series."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cellwright.spec.task import CLASSIFICATION, REGRESSION, TaskSection

ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]


class SeriesAugment(TaskSection):
    """Random changes to training series; those that could change what a series means are off."""

    hand_designed = ("resnet1d",)
    classical = ("hydra",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "space": {"kind": "kernels"},
        "strategy": {"kind": "regularized-evolution"},
        "budget": {"evaluations": 8, "finalists": 2, "fresh_seeds": 1},
        "estimators": [{"kind": "short-training", "epochs": 15}],
        "retrain": {"epochs": 100, "batch_size": 16, "learning_rate": 2e-3},
    }

    jitter: Annotated[float, Field(ge=0)] = 0.03
    """Standard deviation of what is added to each value, as a share of the channel's own."""
    scale: ShareBelowOne = 0.0
    """Largest relative change of a series' values."""
    shift: ShareBelowOne = 0.0
    """Largest shift in time, as a share of the length; what leaves at one end is lost."""
    mask: ShareBelowOne = 0.0
    """Longest stretch of time that is missing, as a share of the length."""


class SeriesClassesSection(SeriesAugment):
    """Series of which a class is predicted."""

    implementation = "cellwright.tasks.series.task:SeriesClassification"
    objective = "accuracy"
    metrics = CLASSIFICATION

    task: Literal["series-classification"] = "series-classification"
    """The task that these keys are for, which follows from `data`."""


class SeriesNumbersSection(SeriesAugment):
    """Series of which a number is predicted."""

    implementation = "cellwright.tasks.series.task:SeriesRegression"
    objective = "r2"
    metrics = REGRESSION

    task: Literal["series-regression"] = "series-regression"
    """The task that these keys are for, which follows from `data`."""
