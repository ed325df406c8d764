"""Positions of cells or layers in a network."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class CellPosition:
    """The position of a cell: channels of its inputs and nodes, and whether it halves height and width."""

    channels: int
    reduces: bool

    @property
    def kind(self) -> str:
        """Return the kind of cell at this position."""
        return "reduce" if self.reduces else "normal"


def cell_positions(num_cells: int, channels: int) -> list[CellPosition]:
    """Return the positions of the cells: reductions at a third and two thirds, each doubling the channels."""
    reductions = {num_cells // 3, 2 * num_cells // 3} if num_cells > 1 else set()
    positions = []
    for index in range(num_cells):
        reduces = index in reductions
        channels = 2 * channels if reduces else channels
        positions.append(CellPosition(channels=channels, reduces=reduces))
    return positions
