"""The `space` section: the allowed architectures."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator

from cellwright.spec.form import Form
from cellwright.spec.section import Section

KNOWN_PRIMITIVES = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "nor_conv_5x5",
)
"""The primitives without an import path."""


def primitive_name(reference: str) -> str:
    """Return the name of a primitive in genotypes: `my_conv` for `my_package.ops:my_conv`."""
    return reference.rpartition(":")[2]


def _is_reference(reference: str) -> str:
    if ":" not in reference and reference not in KNOWN_PRIMITIVES:
        raise ValueError(
            f"must be among {', '.join(KNOWN_PRIMITIVES)}, or an import path `my_package.ops:my_conv`, "
            f"got {reference!r}"
        )
    return reference


def _differ(choices: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({str(choice).rpartition(":")[2] for choice in choices}) != len(choices) or len(choices) < 2:
        raise ValueError(f"must be at least two different ones, got {list(choices)}")
    return choices


Reference = Annotated[
    str,
    Form(
        r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:)?[a-z0-9_]+$",
        "the name of a primitive, or an import path such as my_package.ops:my_conv",
    ),
    AfterValidator(_is_reference),
]
Primitives = Annotated[tuple[Reference, ...], AfterValidator(_differ)]


class SpaceSection(Section):
    """Common keys of all spaces, with methods to change the size of networks."""

    implementation: ClassVar[str]
    """Import path of the space's class, which needs no torch."""
    networks: ClassVar[str]
    """Import path of a subclass of `cellwright.spaces.networks.Networks`."""
    has_supernet: ClassVar[bool] = True
    """Whether the space has a supernet, which one-shot strategies and `shared-weights` train."""

    strategy: ClassVar[str | None] = None
    """The default strategy of this space; None for the general default."""

    kind: str

    def resized(self, **sizes: int | None) -> Self:
        """Return the section with the given sizes, except those that are None; raises ValueError for unknown keys."""
        given = {name: size for name, size in sizes.items() if size is not None}
        if unknown := given.keys() - type(self).model_fields:
            names = ", ".join(f"retrain.{name}" for name in sorted(unknown))
            raise ValueError(f"{names} must be omitted: the space fixes it")
        return self.model_copy(update=given)

    def narrowed(self, share: float) -> Self:
        """Return the section with a fraction of its channels, at least 1; raises ValueError if it has no such key."""
        if share == 1:
            return self
        channels = getattr(self, "channels", None)
        if channels is None:
            raise ValueError(f"channels must be 1, since space.kind {self.kind} fixes them, got {share:g}")
        return self.resized(channels=max(1, round(share * channels)))

    def shrunk(self, *, cells: int, channels: int) -> Self:
        """Return the section with at most `cells` cells in each of three stages, and `channels` channels in the first.

        A space keeps the sizes that it has no key for.
        """
        limits = {"num_cells": cells, "channels": channels}
        return self.resized(
            **{name: min(getattr(self, name), limit) for name, limit in limits.items() if hasattr(self, name)}
        )


class PrimitivesSection(SpaceSection):
    """A space whose primitives the user chooses."""

    primitives: Primitives

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of its primitives in genotypes."""
        return tuple(map(primitive_name, self.primitives))

    @property
    def code(self) -> tuple[str, ...]:
        """Return the import paths of its code and of the user's primitives."""
        return super().code + tuple(reference for reference in self.primitives if ":" in reference)
