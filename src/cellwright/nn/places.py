"""Where the cells or layers of a network stand."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class CellPlace:
    """Where a cell stands: the channels it is given, those of its nodes, and whether it halves the sides."""

    channels: int
    reduces: bool

    @property
    def kind(self) -> str:
        """Return the kind of cell that stands here."""
        return "reduce" if self.reduces else "normal"


def cell_places(num_cells: int, channels: int) -> list[CellPlace]:
    """Return where the cells stand: reductions at a third and two thirds, each doubling the channels."""
    reductions = {num_cells // 3, 2 * num_cells // 3} if num_cells > 1 else set()
    places = []
    for index in range(num_cells):
        reduces = index in reductions
        channels = 2 * channels if reduces else channels
        places.append(CellPlace(channels=channels, reduces=reduces))
    return places
