"""The section of the estimator surrogate."""

from typing import Literal

from pydantic import Field

from cellwright.spec.estimators import EstimatorSection


class SurrogateSection(EstimatorSection):
    """Predicts the accuracy from that of the architectures trained so far; gives `predicted_accuracy`."""

    implementation = "cellwright.estimators.surrogate.estimator:SurrogateScore"

    kind: Literal["surrogate"]
    initial: int = Field(default=20, ge=4)
    """How many must have been trained before it says anything; until then all are let through."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the prediction and how unsure it is."""
        return (f"predicted_{objective}", f"predicted_{objective}_deviation")
