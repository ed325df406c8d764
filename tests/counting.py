"""An estimator for tests."""

from cellwright.estimators.base import Estimator


class Convolutions(Estimator):
    """Counts the convolutions of a genotype."""

    metrics = ("convolutions",)

    def __init__(self) -> None:
        pass

    def estimate(self, candidate, earlier, *, seed) -> dict[str, float]:
        return {"convolutions": float(candidate.line.count("conv"))}
