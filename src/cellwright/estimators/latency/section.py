"""The section of the estimator latency."""

from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec.estimators import EstimatorSection


class LatencySection(EstimatorSection):
    """The time of a forward pass of one example through the final network on this device; gives `latency_ms`.

    `latency_ms_at_most` is what constraints are held against: rarely exceeded when measured again.
    """

    implementation = "cellwright.estimators.latency.estimator:Latency"

    kind: Literal["latency"]
    keep: Annotated[float, Field(ge=1, le=1)] = 1.0
    """Always 1, since less is better: say `constraints.latency_ms`, or make it an objective."""
    networks: int = Field(default=60, ge=10)
    """Random networks that are measured before the search; from them the latency of all others is predicted."""
    rounds: int = Field(default=10, ge=5)
    """How often each of them is measured."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the expected time, and what it is at most in 39 of 40 cases."""
        return ("latency_ms", "latency_ms_at_most")
