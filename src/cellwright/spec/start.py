"""The `start` section: the warm start of a search from an earlier one."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from cellwright.spec.form import Form
from cellwright.spec.section import Section

ModelAddress = Annotated[
    str, Form(r"^models:/[^/]+(@[^/@]+|/[0-9]+)$", "models:/NAME@ALIAS or models:/NAME/VERSION")
]
"""A registered model, `models:/NAME@ALIAS` or `models:/NAME/VERSION`, in the registry of `tracking.uri`."""


class Start(Section):
    """Warm start: architectures to try first, or initial alphas of a one-shot search."""

    search: Path | None = None
    """The folder of an earlier search step, possibly on other data. A sampled search first tries its best
    architectures; a one-shot search with alphas starts from its final ones."""
    model: ModelAddress | None = None
    """A registered model, whose architecture is tried before those of an earlier search. In a race, it is one more
    network."""
    weights: bool = False
    """In a race, whether the network of `model` starts from its weights too. Networks are then compared on validation
    examples that these have not seen. A gate refuses weights that have seen test examples; a scheduled run, which sets
    this, looks first."""
    only: bool = False
    """Whether nothing else is tried: the architecture of `model` is trained, without a search."""
    genotypes: tuple[str, ...] = ()
    """Architectures as lines, tried before all others."""
    architectures: int = Field(default=5, ge=1)
    """Number of architectures to take from the earlier search."""

    @model_validator(mode="after")
    def _only_a_model(self) -> Self:
        if self.only and (self.model is None or self.search or self.genotypes):
            raise ValueError("only needs model, and neither search nor genotypes")
        if self.weights and self.model is None:
            raise ValueError("weights needs model")
        return self
