"""The section of the estimator latency."""

from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec.estimators import EstimatorSection


class LatencySection(EstimatorSection):
    """Latency of the final network's forward pass for one example on this device; gives `latency_ms`.

    Constraints apply to `latency_ms_at_most`, an upper bound that repeated measurements rarely exceed.
    """

    implementation = "cellwright.estimators.latency.estimator:Latency"

    kind: Literal["latency"]
    keep: Annotated[float, Field(ge=1, le=1)] = 1.0
    """Always 1, since lower latency is better: set `constraints.latency_ms`, or make it an objective."""
    networks: int = Field(default=60, ge=10)
    """Number of random networks to measure before the search. The latency of all others is predicted from them."""
    rounds: int = Field(default=10, ge=5)
    """Number of measurements of each network."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the expected latency, and an upper bound that holds in 39 of 40 cases."""
        return ("latency_ms", "latency_ms_at_most")
