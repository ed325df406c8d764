"""The section of the estimator shared_weights."""

from typing import Literal

from pydantic import Field

from cellwright.spec.estimators import EstimatorSection
from cellwright.spec.strategy import PositiveFloat


class SharedWeightsSection(EstimatorSection):
    """Scores with the weights of one supernet, trained before the search; gives `shared_OBJECTIVE`."""

    implementation = "cellwright.estimators.shared_weights.estimator:SharedWeights"

    kind: Literal["shared-weights"]
    epochs: int = Field(default=20, ge=1)
    """Passes over the training split, with a random path for each batch."""
    batch_size: int = Field(default=64, ge=2)
    """Examples in each step of the supernet."""
    learning_rate: PositiveFloat = 0.05
    """Peak learning rate of the supernet, for SGD with momentum."""
    score_examples: int = Field(default=1000, ge=1)
    """Number of validation examples to score an architecture on."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the name of the score of a path in the supernet."""
        return (f"shared_{objective}",)
