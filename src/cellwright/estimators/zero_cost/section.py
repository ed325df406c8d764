"""The section of the estimator zero_cost."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.estimators import COSTS, EstimatorSection

Proxy = Literal[
    "naswot",
    "zico",
    "expressivity",
    "progressivity",
    "trainability",
    "macs",
    "synflow",
    "swap",
    "params",
]
FUSED: tuple[Proxy, ...] = ("swap", "zico", "expressivity", "progressivity", "trainability", "macs")
"""The zero-cost proxies that are fused by default."""


def _differ(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError(f"must be different ones, got {list(names)}")
    return names


class ZeroCostSection(EstimatorSection):
    """Scores untrained networks, smaller than the final one, by what they compute on a few examples; gives `zero_cost`.

    The score is the mean, over proxies, of the logarithm of the rank among random architectures, from 0 to 1.
    """

    implementation = "cellwright.estimators.zero_cost.estimator:ZeroCost"

    kind: Literal["zero-cost"]
    proxies: Annotated[tuple[Proxy, ...], Field(min_length=1), AfterValidator(_differ)] = FUSED
    """What is fused: the parts of AZ-NAS (its complexity is `macs`), SWAP and ZiCo; or NASWOT, SynFlow, `params`."""
    reference: int = Field(default=50, ge=2)
    """Random architectures that ranks are taken among."""
    batch_size: int = Field(default=16, ge=4)
    """Training examples that a network is scored on."""
    side: int = Field(default=16, ge=4)
    """Largest side of the task's maps; larger ones are shrunk."""
    cells: int = Field(default=2, ge=1)
    """Most cells of each of the three stages, in a space that stacks cells."""
    channels: int = Field(default=8, ge=1)
    """Most channels of the first stage."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the fused score, and the proxies beside the ones that are costs of the final network too."""
        return ("zero_cost", *(name for name in self.proxies if name not in COSTS))
