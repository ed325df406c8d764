"""The section of the estimator surrogate."""

from typing import Literal

from pydantic import Field

from cellwright.spec.estimators import EstimatorSection


class SurrogateSection(EstimatorSection):
    """Predicts the objective from that of the architectures trained so far; gives `predicted_OBJECTIVE`."""

    implementation = "cellwright.estimators.surrogate.estimator:SurrogateScore"

    kind: Literal["surrogate"]
    initial: int = Field(default=20, ge=4)
    """Number of evaluations before the first prediction; until then, every candidate passes."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the names of the prediction and of its standard deviation."""
        return (f"predicted_{objective}", f"predicted_{objective}_deviation")
