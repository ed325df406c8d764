"""The `start` section: what a sampled search takes over from an earlier one."""

from pathlib import Path

from pydantic import Field

from cellwright.spec._section import Section


class Start(Section):
    """Architectures that are tried first, before the strategy suggests any."""

    search: Path | None = None
    """The folder of an earlier search step, perhaps on other data: its best architectures are tried, best first."""
    genotypes: tuple[str, ...] = ()
    """Architectures in their one-line form, tried before those of an earlier search."""
    architectures: int = Field(default=5, ge=1)
    """How many are taken from the earlier search."""
