"""Classical baselines for tables: boosted trees, and a linear model."""

from typing import TYPE_CHECKING, Any

import numpy as np

from cellwright.tasks.classical import classifier_or_regressor

if TYPE_CHECKING:
    from cellwright.tasks.tables.task import Table

MOST_CODES = 254
"""What boosted trees can tell apart in a category; a column with more is read as a number."""
MAX_ITERATIONS = 300


def build_classical(name: str, task: "Table", *, seed: int) -> Any:
    """Return the unfitted model; it reads the columns kind by kind, categories as codes."""
    kinds = np.array([column.kind for column in task.columns])
    return (_trees if name == "boosted-trees" else _linear)(task, kinds, seed)


def _trees(task: "Table", kinds: Any, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    categorical = [
        column.kind == "category" and len(task.levels[column.name]) + 2 <= MOST_CODES
        for column in task.columns
    ]
    settings = {
        "categorical_features": categorical,
        "max_iter": MAX_ITERATIONS,
        "early_stopping": True,
        "random_state": seed,
    }
    return classifier_or_regressor(
        task,
        lambda: HistGradientBoostingClassifier(**settings),
        lambda: HistGradientBoostingRegressor(**settings),
    )


def _linear(task: "Table", kinds: Any, seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(imputer, StandardScaler()), np.flatnonzero(kinds != "category")),
            ("categories", OneHotEncoder(handle_unknown="ignore"), np.flatnonzero(kinds == "category")),
        ]
    )
    return make_pipeline(
        columns, classifier_or_regressor(task, lambda: LogisticRegression(max_iter=1000), RidgeCV)
    )
