"""The Secrets of a pipeline's steps."""

from typing import NamedTuple

from cellwright.spec import SearchSpec

TRACKING_KEYS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


class StepSecret(NamedTuple):
    """A Secret in the namespace of the steps, which a section of the spec names."""

    section: str
    name: str
    keys: tuple[str, ...]


def step_secrets(spec: SearchSpec) -> tuple[StepSecret, ...]:
    """Return the Secrets that every step takes environment variables from."""
    found = []
    if spec.store and spec.store.secret:
        found.append(StepSecret("store", spec.store.secret, spec.store.secret_keys))
    if spec.tracking.secret:
        found.append(StepSecret("tracking", spec.tracking.secret, TRACKING_KEYS))
    return tuple(found)
