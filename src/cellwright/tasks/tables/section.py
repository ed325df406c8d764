"""What a spec says about tables."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cellwright.spec.task import CLASSIFICATION, LABELS, REGRESSION, TaskSection


class TableAugment(TaskSection):
    """Random changes to training rows."""

    hand_designed = ("mlp",)
    classical = ("boosted-trees", "linear")
    defaults: ClassVar[Mapping[str, Any]] = {
        "space": {"kind": "dense"},
        "strategy": {"kind": "regularized-evolution"},
        "budget": {"evaluations": 12, "finalists": 2, "fresh_seeds": 1},
        "estimators": [{"kind": "short-training", "epochs": 4}],
        "tune": {
            "when": "with",
            "values": {
                "retrain.learning_rate": [1e-3, 2e-3, 4e-3],
                "retrain.weight_decay": [0.0, 0.03, 0.3],
                "augment.blank": [0.0, 0.1],
            },
        },
        "retrain": {"epochs": 24, "batch_size": 256, "label_smoothing": 0.0},
    }

    blank: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Chance that a value of a training row is treated as missing."""


class TableClassesSection(TableAugment):
    """Tables of which a class is predicted."""

    implementation = "cellwright.tasks.tables.task:TableClassification"
    objective = "accuracy"
    metrics = CLASSIFICATION

    task: Literal["table-classification"] = "table-classification"
    """The task that these keys are for, which follows from `data`."""


class TableNumbersSection(TableAugment):
    """Tables of which a number is predicted."""

    implementation = "cellwright.tasks.tables.task:TableRegression"
    objective = "r2"
    metrics = REGRESSION

    task: Literal["table-regression"] = "table-regression"
    """The task that these keys are for, which follows from `data`."""


class TableLabelsSection(TableAugment):
    """Tables of which labels are predicted."""

    implementation = "cellwright.tasks.tables.task:TableMultiLabel"
    objective = "average_precision"
    metrics = LABELS

    task: Literal["table-labels"] = "table-labels"
    """The task that these keys are for, which follows from `data`."""
