"""Guards, which detect a search that went wrong."""

from collections.abc import Iterator, Mapping

from cellwright.spec import Guard


def violations(guard: Guard, metrics: Mapping[str, float]) -> Iterator[str]:
    """Yield a message for each limit of the guard that an epoch's metrics exceed."""
    limits = {
        "skip_fraction": ("the share of skip connections", guard.max_skip_fraction),
        "derivation_drop": ("the drop from supernet to derived network", guard.max_drop),
        "generalisation_gap": ("the drop of the objective from training to validation", guard.max_gap),
    }
    for name, (words, limit) in limits.items():
        if limit is not None and metrics[name] > limit:
            yield f"{words} was {metrics[name]:.2f}, above {limit:g}"
