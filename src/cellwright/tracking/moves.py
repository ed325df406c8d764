"""Moves of the alias `champion`, and what follows from them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from cellwright.errors import CellwrightError
from cellwright.results import Result

CHAMPION = "champion"
CHALLENGER = "challenger"


class NotPromoted(CellwrightError):
    """The champion stays what it is."""


class ChampionMoved(NotPromoted):
    """The champion is another version than when the move was decided."""


class Move(Result):
    """One move of the alias."""

    number: int = 0
    kind: Literal["first", "promotion", "rollback"]
    from_version: int | None = None
    to_version: int
    who: str
    when: str
    """In UTC, as ISO 8601 has it."""
    why: str
    owner: str = ""
    """Distinguishes the process that moved it from others."""
    evidence: str | None = None
    """What the gate had decided; None where it was not asked."""


def utc_now() -> str:
    """Return the time of a move."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def rolled_back(moves: Sequence[Move], version: int) -> bool:
    """Return whether a version was rolled back, and has not been promoted again since."""
    of_it = [
        move.kind
        for move in moves
        if (move.from_version if move.kind == "rollback" else move.to_version) == version
    ]
    return bool(of_it) and of_it[-1] == "rollback"


def previous_champion(name: str, moves: Sequence[Move], champion: int) -> int:
    """Return the version that was the champion before this one was promoted.

    Raises:
        NotPromoted: there is none, or it was rolled back itself, and is not skipped silently.
    """
    came = next(
        (move for move in reversed(moves) if move.to_version == champion and move.kind != "rollback"), None
    )
    if came is None or came.from_version is None:
        raise NotPromoted(
            f"{name} version {champion} must have replaced a champion to be rolled back, and no move says so"
        )
    if rolled_back(moves, came.from_version):
        raise NotPromoted(
            f"{name} version {came.from_version}, the champion before version {champion}, was rolled back itself: "
            "name the version to return to with cellwright promote"
        )
    return came.from_version
