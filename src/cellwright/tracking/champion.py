"""Which version is the champion, who moved the alias, and when; imported late, because MLflow takes seconds.

MLflow keeps no history of aliases. So each move is a tag of the registered model, written before the alias is set. Of
a move that was killed between the two, the next one begins at another version than it ended at.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from cellwright.tracking.moves import (
    CHALLENGER,
    CHAMPION,
    ChampionMoved,
    Move,
    NotPromoted,
    previous_champion,
    rolled_back,
)

MOVE_TAG = "cellwright.move."
"""Begins the tag of a registered model that has a move; its number follows."""
CLAIM_TAG = "cellwright.moving."
"""Begins the tag of a registered model by which a process claims to move the alias; its owner follows."""
PAUSE, STALE, LONGEST = 0.1, 60.0, 120.0
"""Seconds between two looks at the claims of others; after which a claim that does not change is of a dead process; and
after which waiting ends."""


def champion(client: MlflowClient, name: str) -> int | None:
    """Return the version that is the champion; None where there is none, or no model of that name yet."""
    try:
        number = client.get_registered_model(name).aliases.get(CHAMPION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return None if number is None else int(number)


def moves(client: MlflowClient, name: str) -> tuple[Move, ...]:
    """Return the moves of the alias, the oldest first."""
    tags = client.get_registered_model(name).tags
    found = (Move.model_validate_json(value) for tag, value in tags.items() if tag.startswith(MOVE_TAG))
    return tuple(sorted(found, key=lambda move: move.number))


def move_champion(client: MlflowClient, name: str, move: Move) -> None:
    """Record a move and make it; nothing else sets or changes this alias."""
    client.set_registered_model_tag(name, f"{MOVE_TAG}{move.number:06d}", move.model_dump_json())
    client.set_registered_model_alias(name, CHAMPION, str(move.to_version))


def promote(client: MlflowClient, name: str, *, expected: int | None, move: Move, force: bool) -> Move:
    """Make a move, if the version `expected` still is the champion.

    Of several processes that promote at once, on whatever machines, one moves the alias, and the others are refused.

    Raises:
        ChampionMoved: another version is the champion.
        NotPromoted: the version was rolled back, and `force` is not set.
    """
    version = move.to_version
    client.get_model_version(name, str(version))
    with _alone(client, name, move.owner):
        known, now = moves(client, name), champion(client, name)
        if now == version:
            return known[-1] if known else move
        if now != expected:
            raise ChampionMoved(
                f"the champion of {name} must be {_format(expected)}, as when this was decided, got {_format(now)}"
            )
        if rolled_back(known, version) and not force:
            raise NotPromoted(f"{name} version {version} was rolled back: --force promotes it again")
        return _moved(client, name, move, known, now)


def rollback(client: MlflowClient, name: str, *, move: Move) -> Move:
    """Make the version the champion that was it before.

    Raises:
        NotPromoted: there is none, or it was rolled back itself.
    """
    with _alone(client, name, move.owner):
        known, now = moves(client, name), champion(client, name)
        if known and known[-1].owner == move.owner and known[-1].to_version == now:
            return known[-1]
        if now is None:
            raise NotPromoted(f"{name} has no champion to roll back")
        target = previous_champion(name, known, now)
        client.get_model_version(name, str(target))
        return _moved(client, name, move.model_copy(update={"to_version": target}), known, now)


def _moved(client: MlflowClient, name: str, move: Move, known: tuple[Move, ...], now: int | None) -> Move:
    """Make the next move, in place of the last one if that is the same and was killed before it set the alias."""
    last = known[-1] if known else None
    number = 1 if last is None else last.number + (last.owner != move.owner)
    move = move.model_copy(update={"number": number, "from_version": now})
    move_champion(client, name, move)
    holders = {alias: int(number) for alias, number in client.get_registered_model(name).aliases.items()}
    if holders.get(CHALLENGER) == move.to_version:
        client.delete_registered_model_alias(name, CHALLENGER)
    if (found := holders.get(CHAMPION)) != move.to_version:
        raise ChampionMoved(
            f"the champion of {name} must be version {move.to_version} now, got {_format(found)}"
        )
    return move


@contextmanager
def _alone(client: MlflowClient, name: str, owner: str) -> Iterator[None]:
    """Have no other process move the alias meanwhile.

    Who enters has written its own claim and then seen no other, so two never do at once. Of several that wait, the
    smallest keeps its claim and the others withdraw theirs. A waiting claim changes all the time, so one that does not
    is of a process that was killed, or of the one that is inside.
    """
    claim, began = f"{CLAIM_TAG}{owner}", time.monotonic()
    seen: dict[tuple[str, str], float] = {}
    while True:
        client.set_registered_model_tag(name, claim, secrets.token_hex(4))
        tags = client.get_registered_model(name).tags
        others = {(tag, value) for tag, value in tags.items() if tag.startswith(CLAIM_TAG) and tag != claim}
        if not others:
            break
        now = time.monotonic()
        seen = {other: seen.get(other, now) for other in others}
        for other, since in seen.items():
            if now - since > STALE:
                client.delete_registered_model_tag(name, other[0])
        if min(others)[0] < claim:
            client.delete_registered_model_tag(name, claim)
        if now - began > LONGEST:
            raise NotPromoted(f"another process has been moving the champion of {name} for {LONGEST:.0f} s")
        time.sleep(PAUSE)
    try:
        yield
    finally:
        client.delete_registered_model_tag(name, claim)


def _format(version: int | None) -> str:
    return "none" if version is None else f"version {version}"
