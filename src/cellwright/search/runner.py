"""The runner of a spec, ready to run the trials of a search."""

import uuid
from pathlib import Path

from cellwright.files import write_text
from cellwright.katib.settings import SearchSettings
from cellwright.progress import Progress
from cellwright.results import RUN, StepRecord
from cellwright.runners import LocalRunner, Runner, search_place, step_place
from cellwright.runners.kubernetes.section import ClusterSection, KatibSection
from cellwright.runners.local import LocalSection
from cellwright.search.manifests import katib_experiment, trial_pods
from cellwright.search.trial import REQUEST, TrialRequest
from cellwright.spec import SearchSpec
from cellwright.stores import open_store


def build_runner(
    spec: SearchSpec, data: Path, folder: Path, progress: Progress, *, settings: SearchSettings | None
) -> Runner:
    """Return the spec's runner for the search in the folder.

    Args:
        spec: whose `runner` section.
        data: the folder of prepared data, which trials elsewhere get a copy of.
        folder: of the search; begun again there, it finds its trials.
        progress: told what troubles trials.
        settings: the search as Katib's suggestion service can do it too; None where it cannot.
    """
    if isinstance(spec.runner, LocalSection):
        return LocalRunner(max_seconds=spec.runner.max_seconds, max_memory=spec.runner.max_memory_bytes)
    from cellwright.runners import kubernetes

    assert isinstance(spec.runner, ClusterSection)
    if not (folder / RUN).exists():
        write_text(folder / RUN, uuid.uuid4().hex)
    pods = trial_pods(spec, (folder / RUN).read_text())
    share(spec, pods.search, data, folder, progress)
    cluster = kubernetes.Cluster(spec.runner.namespace, progress.say)
    if isinstance(spec.runner, KatibSection) and settings is not None:
        experiment = katib_experiment(spec, settings, pods, max_trials=1, max_failures=None)
        return kubernetes.KatibRunner(experiment, pods, cluster, progress)
    return kubernetes.JobsRunner(pods, cluster, progress)


def share(spec: SearchSpec, search: str, data: Path, folder: Path, progress: Progress) -> None:
    """Store what all trials of a search have in common: the prepared data, and a request without an architecture."""
    assert spec.store is not None
    store = open_store(spec.store.uri, spec.store.endpoint, say=progress.say)
    progress.say(f"search: storing {data.name} in {spec.store.uri}")
    store.push(data, step_place(data.name), last=StepRecord.FILE)
    TrialRequest.of(spec, data).save(folder / REQUEST)
    store.put(folder / REQUEST, f"{search_place(search)}/{REQUEST}")
