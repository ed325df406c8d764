"""The whole spec."""

from typing import Self

from pydantic import Field, model_validator

from cellwright.canonical import digest
from cellwright.spec._section import Section
from cellwright.spec.data import AnyData
from cellwright.spec.platform import Register, Resources, Tracking
from cellwright.spec.retrain import Augment, Evaluate, Retrain
from cellwright.spec.space import AnySpace, DartsSpace
from cellwright.spec.strategy import AnyStrategy, BetaDartsStrategy, Budget


class SearchSpec(Section):
    """One file from which everything follows: data, search, retraining, evaluation and registration."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
    """Names the pipeline, its MLflow experiment and its registered model."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """All randomness of the search and of the retraining follows from it."""
    data: AnyData
    augment: Augment = Augment()
    """Of training images, in the search and in the retraining alike."""
    space: AnySpace = DartsSpace()
    strategy: AnyStrategy = BetaDartsStrategy()
    budget: Budget = Budget()
    retrain: Retrain = Retrain()
    evaluate: Evaluate = Evaluate()
    register_: Register = Field(default=Register(), alias="register")
    tracking: Tracking = Tracking()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _can_be_resized(self) -> Self:
        self.space.resized(num_cells=self.retrain.num_cells, channels=self.retrain.channels)
        return self

    @property
    def final_space(self) -> AnySpace:
        """Return the space at the size that its networks are retrained at."""
        return self.space.resized(num_cells=self.retrain.num_cells, channels=self.retrain.channels)

    @property
    def imports(self) -> tuple[str, ...]:
        """Return the import paths of what users bring along."""
        return self.space.imports + self.strategy.imports

    @property
    def model_name(self) -> str:
        """Return the name of the registered model."""
        return self.register_.name or self.name

    @property
    def digest(self) -> str:
        """Return 16 hex digits that name this spec, defaults included."""
        return digest(self.model_dump(mode="json", by_alias=True))
