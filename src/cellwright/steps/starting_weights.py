"""The pretrained weights of a spec's retraining, from an earlier one or from a registered model."""

from pathlib import Path
from typing import TYPE_CHECKING

from cellwright.files import file_digest
from cellwright.results import WEIGHTS
from cellwright.search.warm_start import registered_weights
from cellwright.spec import SearchSpec
from cellwright.tracking.starting_models import version_of

if TYPE_CHECKING:
    from cellwright.training.starting_weights import StartingWeights


def starting_weights(spec: SearchSpec) -> "StartingWeights | None":
    """Return the pretrained weights; None if the spec has none."""
    from cellwright.training.checkpoint import load_tensors
    from cellwright.training.starting_weights import StartingWeights

    match spec.retrain.start:
        case None:
            return None
        case Path() as path:
            return StartingWeights(str(path), load_tensors(_file(path))[0])
        case address:
            return registered_weights(spec, address)


def started_from(spec: SearchSpec) -> str | None:
    """Return an identifier of the weights: a digest of the file, or the model's version."""
    match spec.retrain.start:
        case None:
            return None
        case Path() as path:
            return file_digest(_file(path))
        case address:
            return version_of(spec, address)


def _file(path: Path) -> Path:
    return path if path.is_file() else path / WEIGHTS
