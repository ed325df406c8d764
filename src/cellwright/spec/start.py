"""The `start` section: what a search takes over from an earlier one."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cellwright.spec.form import Form
from cellwright.spec.section import Section

ModelAddress = Annotated[
    str, Form(r"^models:/[^/@]+(@[^/@]+|/[0-9]+)$", "models:/NAME@ALIAS or models:/NAME/VERSION")
]
"""A registered model, `models:/NAME@ALIAS` or `models:/NAME/VERSION`, in the registry of `tracking.uri`."""


class Start(Section):
    """What is known from earlier runs: architectures to try first, or the alphas that a one-shot search starts from."""

    search: Path | None = None
    """The folder of an earlier search step, perhaps on other data. A sampled search tries its best architectures, best
    first; a one-shot search with alphas starts from its last ones."""
    model: ModelAddress | None = None
    """A registered model, whose architecture is tried before those of an earlier search."""
    genotypes: tuple[str, ...] = ()
    """Architectures in their one-line form, tried before all others."""
    architectures: int = Field(default=5, ge=1)
    """How many are taken from the earlier search."""
