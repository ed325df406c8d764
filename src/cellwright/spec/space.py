"""The `space` section: which architectures are allowed."""

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
"""The primitives that need no import path."""


def primitive_name(reference: str) -> str:
    """Return the name in genotypes: of `my_package.ops:my_conv` it is `my_conv`."""
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
    """What all spaces have: a size that retraining may change."""

    implementation: ClassVar[str]
    """The import path of the space's class, which needs no torch."""
    networks: ClassVar[str]
    """The import path of a subclass of `cellwright.spaces.networks.Networks`."""
    has_supernet: ClassVar[bool] = True
    """Whether one network holds all its architectures, which one-shot search and `shared-weights` train."""

    strategy: ClassVar[str | None] = None
    """The kind of strategy that it is searched by if the spec names none; None for the usual one."""

    kind: str

    def resized(self, **sizes: int | None) -> Self:
        """Return the section with the sizes that are given, where it has them; raises ValueError."""
        given = {name: size for name, size in sizes.items() if size is not None}
        if unknown := given.keys() - type(self).model_fields:
            names = ", ".join(f"retrain.{name}" for name in sorted(unknown))
            raise ValueError(f"{names} must be omitted: the space fixes it")
        return self.model_copy(update=given)

    def narrowed(self, share: float) -> Self:
        """Return the section with a share of its channels, at least 1; raises ValueError where it has none."""
        if share == 1:
            return self
        channels = getattr(self, "channels", None)
        if channels is None:
            raise ValueError(f"channels must be 1, since space.kind {self.kind} fixes them, got {share:g}")
        return self.resized(channels=max(1, round(share * channels)))

    def shrunk(self, *, cells: int, channels: int) -> Self:
        """Return the section with at most so many cells in each of three stages, and channels in the first of them.

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
        """Return its primitives as genotypes name them."""
        return tuple(map(primitive_name, self.primitives))

    @property
    def code(self) -> tuple[str, ...]:
        """Return the import paths of its code and of the user's primitives."""
        return super().code + tuple(reference for reference in self.primitives if ":" in reference)
