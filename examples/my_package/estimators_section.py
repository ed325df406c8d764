"""What a spec says of an estimator of your own. No torch."""

from cellwright.spec import EstimatorSection


class SmoothnessSection(EstimatorSection):
    """How little an untrained network's outputs change with its inputs; gives `smoothness`."""

    implementation = "my_package.estimators:Smoothness"

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the one score."""
        return ("smoothness",)
