"""`prepare`: from the user's data to a folder with three disjoint splits."""

from pathlib import Path

from cellwright.progress import Progress
from cellwright.spec import SearchSpec
from cellwright.steps.remote_source import on_this_machine, remote_contents
from cellwright.steps.step import Inputs, Step
from cellwright.tasks.images.preparing import prepare as prepare_data
from cellwright.tasks.images.reading import source_digest


def prepare(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Write the manifest and the shards of the prepared data."""
    with on_this_machine(spec.data, folder, progress) as (section, say):
        prepare_data(section, folder, say)


PREPARE = Step(
    name="prepare",
    inputs=(),
    settings=lambda spec: source_digest(spec.data, remote_contents(spec.data)),
    run=prepare,
)
