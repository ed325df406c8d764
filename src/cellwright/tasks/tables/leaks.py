"""Columns that give the target away."""

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cellwright.data import SplitName
from cellwright.data.splitting import Part
from cellwright.tasks.regression import Regression
from cellwright.tasks.tables.columns import INPUT_NAMES

if TYPE_CHECKING:
    from cellwright.tasks.tables.task import Table

SUSPECT = 0.99
"""The score from which a single column is suspected."""
MOST_ROWS = 20_000
LEAVES = 64


def leaking_columns(task: "Table", parts: Mapping[SplitName, Part]) -> Iterator[str]:
    """Yield a line for each column from which alone a small tree predicts the target of validation almost perfectly.

    The score is the accuracy averaged over classes, or R²; of several labels, that of the one that is predicted best.
    """
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind, score = (
        (DecisionTreeRegressor, r2_score)
        if isinstance(task, Regression)
        else (DecisionTreeClassifier, balanced_accuracy_score)
    )
    train, validation = parts["train"], parts["validation"]
    rows, others = train.indices[:MOST_ROWS], validation.indices[:MOST_ROWS]
    for column_kind, name in INPUT_NAMES.items():
        for index, column in enumerate(task.of_kind(column_kind)):
            learnt, asked = (
                part.examples.inputs[name][chosen, index, np.newaxis].astype(np.float64)
                for part, chosen in ((train, rows), (validation, others))
            )
            tree = kind(max_leaf_nodes=LEAVES, random_state=0).fit(learnt, train.examples.targets[rows])
            with warnings.catch_warnings():  # of scores of few examples
                warnings.simplefilter("ignore", UserWarning)
                true, predicted = validation.examples.targets[others], tree.predict(asked)
                found = max(map(score, true.T, predicted.T)) if true.ndim == 2 else score(true, predicted)
            if found > SUSPECT:
                yield (
                    f"leak? column {column} alone predicts the target: {found:.4f} on validation; data.types can "
                    "leave it out"
                )
