"""Telling that a training diverges, once an epoch, so that no step waits for the device."""

import math
from collections.abc import Iterable, Mapping

from torch import Tensor

from cellwright.errors import DivergedError


def require_finite(
    epoch: int,
    measured: Mapping[str, float],
    tensors: Iterable[Tensor] = (),
    *,
    of: str = "weights",
    lower: str,
) -> None:
    """Require that what an epoch measured, and the tensors that it leaves, are finite.

    Args:
        epoch: counted from 1.
        measured: numbers by name.
        tensors: what the next epoch depends on, or the network gives; those of whole numbers are left out.
        of: what the tensors are.
        lower: the setting that makes the training less likely to diverge, with its value.

    Raises:
        DivergedError: they are not.
    """
    broken = [f"{name} is {value:g}" for name, value in measured.items() if not math.isfinite(value)]
    if not broken and not all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point()):
        broken = [f"{of} are not finite"]
    if broken:
        raise DivergedError(f"training diverges in epoch {epoch}: {', '.join(broken)}; lower {lower}")
