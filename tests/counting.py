"""An estimator for tests."""

from cellwright.estimators.base import Estimator


class Convolutions(Estimator):
    """Counts the convolutions of a genotype."""

    metrics = ("convolutions",)

    def __init__(self) -> None:
        pass

    def estimate(self, genotype, earlier, *, seed) -> dict[str, float]:
        return {"convolutions": float(genotype.to_line().count("conv"))}
