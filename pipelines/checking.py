"""What a spec must say for its pipeline to run on several machines."""

from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.spec import SearchSpec


def check_for_cluster(spec: SearchSpec) -> None:
    """Require what steps on several machines need.

    Raises:
        CellwrightError: names what is missing.
    """
    if spec.store is None:
        raise CellwrightError("store is required: steps on a cluster share it")
    if not (spec.tracking.uri or "").startswith(("http://", "https://")):
        raise CellwrightError(
            "tracking.uri must be the http(s) address of an MLflow server that steps on other machines reach, got "
            f"{spec.tracking.uri}"
        )
    for path in (place for place in spec.data.places.values() if isinstance(place, Path)):
        on_volume = spec.store.claim is not None and path.is_relative_to(spec.store.uri)
        if path.exists() and not on_volume:
            raise CellwrightError(
                f"data: {path} is on this machine, and steps run on others: put it into a bucket (s3://BUCKET/KEY), or "
                "on the volume of store.claim"
            )
