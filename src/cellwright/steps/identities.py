"""What steps depend on apart from the keys of the spec: the content of files that it names, not where they are.

A step names its function in `cellwright.step_list`. None needs torch, unless the spec continues an earlier search.
"""

from typing import Any

from cellwright.data.reading import source_digest
from cellwright.files import file_digest
from cellwright.search.candidates import candidate_space
from cellwright.search.warm_start import start_candidates
from cellwright.spec import SearchSpec
from cellwright.steps.remote_source import remote_contents
from cellwright.steps.starting_weights import started_from
from cellwright.tracking.starting_models import version_of


def of_data(spec: SearchSpec) -> dict[str, Any]:
    """Return what identifies the data, independent of its location."""
    return {"data": source_digest(spec.data, remote_contents(spec.data))}


def of_search(spec: SearchSpec) -> dict[str, Any]:
    """Return the content that the search starts from, independent of its location, and the limits of trials."""
    return {
        "start": _started_from(spec),
        "weights": version_of(spec, spec.start.model) if spec.start.model and spec.start.weights else None,
        "trials": spec.runner.limits if spec.has_trials else None,
    }


def _started_from(spec: SearchSpec) -> Any:
    if spec.is_sampled or spec.start.only:
        return [candidate.line for candidate in start_candidates(spec, candidate_space(spec))]
    if spec.start.search is None:
        return None
    from cellwright.training.checkpoint import CHECKPOINT

    return file_digest(spec.start.search / CHECKPOINT)


def of_weights(spec: SearchSpec) -> dict[str, Any]:
    """Return the settings of retraining, with the content of the pretrained weights instead of their location."""
    settings = spec.retrain.model_dump(mode="json", exclude={"start"})
    return {"retrain": settings | {"start": started_from(spec)}}


def of_registration(spec: SearchSpec) -> dict[str, Any]:
    """Return where the run and its model go."""
    tracking = spec.tracking
    return {
        "uri": tracking.uri,
        "experiment": tracking.experiment or spec.name,
        "run": tracking.run_id,
        "model": spec.model_name,
    }
