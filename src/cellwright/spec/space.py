"""The `space` section: which architectures are allowed."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from cellwright.spec.section import Section

DARTS_PRIMITIVES = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The primitives of Liu et al. 2019, https://arxiv.org/abs/1806.09055, less `none`, which is never derived."""

KNOWN_PRIMITIVES = (*DARTS_PRIMITIVES, "nor_conv_1x1", "nor_conv_3x3", "nor_conv_5x5")
"""The primitives that need no import path."""

CHAIN_PRIMITIVES = (
    "nor_conv_3x3",
    "nor_conv_5x5",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "avg_pool_3x3",
    "max_pool_3x3",
)
"""The primitives of ENAS's macro search, https://arxiv.org/abs/1802.03268."""

ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]


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
    str, Field(pattern=r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:)?[a-z0-9_]+$"), AfterValidator(_is_reference)
]
Primitives = Annotated[tuple[Reference, ...], AfterValidator(_differ)]


class SpaceSection(Section):
    """What all spaces have: a size that retraining may change."""

    def resized(self, **sizes: int | None) -> Self:
        """Return the section with the sizes that are given, where it has them; raises ValueError."""
        given = {name: size for name, size in sizes.items() if size is not None}
        if unknown := given.keys() - type(self).model_fields:
            names = ", ".join(f"retrain.{name}" for name in sorted(unknown))
            raise ValueError(f"{names} must be left out: the space fixes it")
        return self.model_copy(update=given)


class _Choosing(SpaceSection):
    """A space whose primitives the user chooses."""

    primitives: Primitives

    @property
    def names(self) -> tuple[str, ...]:
        """Return its primitives as genotypes name them."""
        return tuple(map(primitive_name, self.primitives))

    @property
    def imports(self) -> tuple[str, ...]:
        """Return the import paths among its primitives."""
        return tuple(reference for reference in self.primitives if ":" in reference)


class DartsSpace(_Choosing):
    """The DARTS cell space: normal and reduction cells, each node reading two earlier feature maps."""

    kind: Literal["darts"] = "darts"
    primitives: Primitives = DARTS_PRIMITIVES
    """The operations to choose from; one of your own by its import path, `my_package.ops:my_conv`."""
    num_nodes: int = Field(default=4, ge=1, le=7)
    """Intermediate nodes of a cell."""
    num_cells: int = Field(default=8, ge=1, le=100)
    """Cells of the network; the ones at a third and at two thirds of its depth are reduction cells."""
    channels: int = Field(default=16, ge=1)
    """Channels of the first cell; each reduction doubles them."""


class NasBench201Space(SpaceSection):
    """The cell of NAS-Bench-201, https://arxiv.org/abs/2001.00326: five primitives on six edges."""

    kind: Literal["nasbench201"]
    num_cells: int = Field(default=5, ge=1, le=50)
    """Cells of each of the three stages."""
    channels: int = Field(default=16, ge=1)
    """Channels of the first stage; each of the other two doubles them."""


class ChainSpace(_Choosing):
    """A chain of layers of chosen primitives and widths that may read any earlier ones: ENAS's macro search."""

    kind: Literal["chain"]
    primitives: Primitives = CHAIN_PRIMITIVES
    """The operations to choose from; one of your own by its import path, `my_package.ops:my_conv`."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], AfterValidator(_differ)] = (50, 100)
    """The widths to choose from, in percent of `channels`."""
    num_layers: int = Field(default=9, ge=2, le=50)
    """Layers of the network; from the ones at a third and at two thirds on, sides are halved."""
    channels: int = Field(default=16, ge=1)
    """Channels of a first layer of 100 % width; each halving of the sides doubles them."""


class CustomSpace(SpaceSection):
    """A space from a package of your own."""

    kind: Literal["custom"]
    path: ImportPath
    """A subclass of `cellwright.spaces.Space`, called with the settings: `my_package.spaces:MySpace`."""
    supernet: ImportPath
    """A subclass of `cellwright.spaces.supernet.Supernet`, called with task and space: `my_package.nets:MySupernet`."""
    settings: dict[str, Any] = {}
    """Whatever the space takes, its size included."""

    @property
    def imports(self) -> tuple[str, ...]:
        """Return the import paths of the space and of its supernet."""
        return self.path, self.supernet

    def resized(self, **sizes: int | None) -> Self:
        """Return the section with the sizes that are given among its settings."""
        given = {name: size for name, size in sizes.items() if size is not None}
        return self.model_copy(update={"settings": self.settings | given})


AnySpace = Annotated[DartsSpace | NasBench201Space | ChainSpace | CustomSpace, Field(discriminator="kind")]
