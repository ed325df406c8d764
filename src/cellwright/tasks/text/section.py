"""What a spec says about texts."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cellwright.spec.task import CLASSIFICATION, LABELS, REGRESSION, TaskSection


class TextAugment(TaskSection):
    """Random changes to training texts."""

    hand_designed = ("text-cnn",)
    classical = ("tf-idf",)
    decoder = "cellwright.tasks.text.sources.text:decoder"
    defaults: ClassVar[Mapping[str, Any]] = {
        "space": {"kind": "tokens"},
        "strategy": {"kind": "regularized-evolution"},
        "budget": {"evaluations": 8, "finalists": 2, "fresh_seeds": 1},
        "estimators": [{"kind": "short-training", "epochs": 2}],
        "retrain": {"epochs": 4, "batch_size": 32, "learning_rate": 4e-3},
    }

    word_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Chance that a word of a training text is blanked."""


class TextClassesSection(TextAugment):
    """Texts of which a class is predicted."""

    implementation = "cellwright.tasks.text.task:TextClassification"
    objective = "accuracy"
    metrics = CLASSIFICATION

    task: Literal["text-classification"] = "text-classification"
    """The task that these keys are for, which follows from `data`."""


class TextNumbersSection(TextAugment):
    """Texts of which a number is predicted."""

    implementation = "cellwright.tasks.text.task:TextRegression"
    objective = "r2"
    metrics = REGRESSION

    task: Literal["text-regression"] = "text-regression"
    """The task that these keys are for, which follows from `data`."""


class TextLabelsSection(TextAugment):
    """Texts of which labels are predicted."""

    implementation = "cellwright.tasks.text.task:TextMultiLabel"
    objective = "average_precision"
    metrics = LABELS
    defaults: ClassVar[Mapping[str, Any]] = {
        **TextAugment.defaults,
        "retrain": {**TextAugment.defaults["retrain"], "label_smoothing": 0.0},
    }

    task: Literal["text-labels"] = "text-labels"
    """The task that these keys are for, which follows from `data`."""
