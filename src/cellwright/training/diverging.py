"""Detects divergence once per epoch, so that no step waits for the device."""

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
    """Check that the metrics of an epoch and the given tensors are finite.

    Args:
        epoch: counted from 1.
        measured: metrics by name.
        tensors: tensors that the next epoch depends on, or outputs; integer tensors are skipped.
        of: name of the tensors in the message.
        lower: the setting to lower against divergence, with its value.

    Raises:
        DivergedError: a value is not finite.
    """
    broken = [f"{name} is {value:g}" for name, value in measured.items() if not math.isfinite(value)]
    if not broken and not all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point()):
        broken = [f"{of} are not finite"]
    if broken:
        raise DivergedError(f"training diverges in epoch {epoch}: {', '.join(broken)}; lower {lower}")
