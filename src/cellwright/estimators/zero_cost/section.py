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
    """Scores untrained networks, at a reduced size, by their response to a few examples; gives `zero_cost`.

    The score is the mean over the proxies of the logarithm of the rank, from 0 to 1, among random architectures.
    """

    implementation = "cellwright.estimators.zero_cost.estimator:ZeroCost"

    kind: Literal["zero-cost"]
    proxies: Annotated[tuple[Proxy, ...], Field(min_length=1), AfterValidator(_differ)] = FUSED
    """The proxies to fuse: those of AZ-NAS (its complexity is `macs`), SWAP and ZiCo by default; also NASWOT, SynFlow
    and `params`."""
    reference: int = Field(default=50, ge=2)
    """Number of random architectures that ranks are computed among."""
    batch_size: int = Field(default=16, ge=4)
    """Number of training examples that a network is scored on."""
    side: int = Field(default=16, ge=4)
    """Maximum height and width of the task's maps; larger ones are shrunk."""
    cells: int = Field(default=2, ge=1)
    """Maximum number of cells in each of the three stages, for spaces that stack cells."""
    channels: int = Field(default=8, ge=1)
    """Maximum number of channels of the first stage."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the fused score and the proxies, except for those that are also costs of the final network."""
        return ("zero_cost", *(name for name in self.proxies if name not in COSTS))
