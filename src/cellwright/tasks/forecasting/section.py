"""What a spec says about forecasts."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from cellwright.spec.task import TaskSection


class ForecastingSection(TaskSection):
    """Forecasts of the next values of time series."""

    implementation = "cellwright.tasks.forecasting.task:Forecasting"
    objective = "skill"
    metrics = ("skill", "mase", "mae", "rmse")
    hand_designed = ("dlinear",)
    classical = ("seasonal-naive", "last-value", "nlinear")
    spaces = ("kernels", "stages", "chain", "darts")
    defaults: ClassVar[Mapping[str, Any]] = {
        "space": {"kind": "kernels", "channels": 8, "num_blocks": 2},
        "strategy": {"kind": "regularized-evolution"},
        "budget": {"evaluations": 8, "finalists": 2, "fresh_seeds": 1},
        "estimators": [{"kind": "short-training", "epochs": 4}],
        "retrain": {
            "epochs": 20,
            "batch_size": 32,
            "learning_rate": 2e-3,
            "weight_decay": 0.1,
            "label_smoothing": 0.0,
        },
    }

    task: Literal["forecasting"] = "forecasting"
    """The task that these keys are for, which follows from `data`."""
