"""Loading a spec as a command does: with the values that override it, and with the commit of its folder."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.spec import SearchSpec

COMMIT_TAG = "mlflow.source.git.commit"
"""The tag that MLflow's page shows as the version of the source."""


def load(path: Path, overrides: list[str] | None) -> "SearchSpec":
    """Return the spec, tagged with the commit of the repository that its file lies in, if it lies in one."""
    from cellwright.spec import load_spec

    spec = load_spec(path, overrides or ())
    commit = _commit(path.resolve().parent)
    if commit is None or COMMIT_TAG in spec.tracking.tags:
        return spec
    tags = spec.tracking.tags | {COMMIT_TAG: commit}
    return spec.model_copy(update={"tracking": spec.tracking.model_copy(update={"tags": tags})})


def _commit(folder: Path) -> str | None:
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
