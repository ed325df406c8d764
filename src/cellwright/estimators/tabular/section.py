"""The section of the estimator tabular."""

from typing import Literal

from cellwright.spec.estimators import EstimatorSection


class TabularSection(EstimatorSection):
    """Looks up NAS-Bench-201's cells in its table instead of training them; needs the extra `nasbench201`."""

    implementation = "cellwright.estimators.tabular.estimator:Tabular"

    kind: Literal["tabular"]
    data_set: Literal["cifar10", "cifar100", "imagenet16-120"] = "cifar10"
    """The data set that the table's networks were trained on."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the columns of the table."""
        return ("accuracy", "training_seconds", "latency_ms", "millions_of_params")

    def runs_in_trials(self, *, is_remote: bool) -> bool:
        """Return whether trials are remote, since their search loop may not be ours."""
        return is_remote
