"""`prepare`: writes the user's data as three disjoint splits."""

from pathlib import Path

from cellwright.progress import Progress
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.steps.remote_source import on_this_machine
from cellwright.tasks.preparing import prepare as prepare_data


def prepare(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Write the manifest and the shards of the prepared data."""
    with on_this_machine(spec.data, folder, progress) as (section, log):
        prepare_data(section, folder, log, num_processes=spec.resources.threads)
