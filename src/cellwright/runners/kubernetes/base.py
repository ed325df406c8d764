"""The base class of Kubernetes runners: a store carries requests to the pods and results back."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation
from cellwright.files import write_text
from cellwright.katib.settings import ALGORITHMS
from cellwright.pod_labels import RUN, SEARCH
from cellwright.progress import Progress
from cellwright.results import FolderRecord, StepRecord
from cellwright.runners.base import (
    FOUND,
    REQUEST,
    RESULT,
    SLICE,
    Finding,
    Key,
    Outcome,
    Runner,
    Trials,
    request_location,
    run_id,
    step_location,
    trial_location,
)
from cellwright.runners.kubernetes.api import COMMAND_SECONDS, Cluster
from cellwright.runners.kubernetes.cleaning import delete_unfinished
from cellwright.runners.kubernetes.pods import TrialPods, newest_by_trial, problem_of
from cellwright.runners.kubernetes.preflight import preflight
from cellwright.runners.kubernetes.section import ClusterSection
from cellwright.spec import SearchSpec
from cellwright.stores import finished, pull, push, store_of, upload_initial

POLL_SECONDS = 1.0
QUIET_SECONDS = 10.0
"""How long a pod may fail to start before this is reported."""


@dataclass(kw_only=True, slots=True)
class _Running:
    folder: Path
    failing_since: float | None = None
    reported: str | None = None
    cause: str | None = None
    """The last problem, which is the reason if the trial fails."""
    is_cut_short: bool = False


class KubernetesRunner(Runner):
    """Runs trials as pods.

    Args:
        pods: the common properties of the pods.
        cluster: the cluster and namespace.
        progress: receives messages about problems with pods.
    """

    with_katib: ClassVar[bool]
    """Whether it creates objects of Katib."""

    def __init__(self, pods: TrialPods, cluster: Cluster, progress: Progress) -> None:
        self.pods = pods
        self.cluster = cluster
        self.progress = progress
        self.store = store_of(pods.store, log=progress.log)
        self.running: dict[Key, _Running] = {}
        self._last_change = time.monotonic()
        self._seen: object = None

    @classmethod
    def prepared(cls, spec: SearchSpec, trials: Trials) -> tuple[TrialPods, Cluster]:
        """Store the files that the search's pods read; return their common properties, and their cluster."""
        assert isinstance(spec.runner, ClusterSection)
        pods = TrialPods.of(spec, run_id(trials.folder))
        _share(pods, trials)
        return pods, Cluster(spec.runner.namespace, trials.progress.log)

    @classmethod
    def stage(cls, spec: SearchSpec, trials: Trials) -> None:
        """Store the data and the common request."""
        _share(TrialPods.of(spec), trials)

    @classmethod
    def clean_up(cls, spec: SearchSpec, owner: str, log: Callable[[str], None]) -> None:
        """Delete the run's unfinished Jobs and Experiments, if the spec says so."""
        assert isinstance(spec.runner, ClusterSection)
        if spec.runner.delete_on_cancel:
            cluster = Cluster(spec.runner.namespace, log)
            for what in delete_unfinished(cluster, f"{RUN}={owner}", with_katib=cls.with_katib):
                log(f"finish: deleted the {what}")

    @classmethod
    def preflight(
        cls, spec: SearchSpec, katib_namespace: str, log: Callable[[str], None]
    ) -> Iterable[Finding]:
        """Yield the result of each check of the cluster."""
        assert isinstance(spec.runner, ClusterSection)
        algorithm = (
            f"{ALGORITHMS}{spec.strategy.kind}" if cls.with_katib and not spec.strategy.continues else None
        )
        cluster = Cluster(spec.runner.namespace, log, seconds=COMMAND_SECONDS)
        return preflight(cluster, TrialPods.of(spec), algorithm=algorithm, katib_namespace=katib_namespace)

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Store the request and start the trial, or find it if it was started earlier."""
        upload_initial(self.store, folder, self.location(key))
        self.running[key] = _Running(folder=folder)
        self._last_change = time.monotonic()
        self.begin(key, evaluation)

    def wait(self) -> Outcome:
        """Wait until a trial ends, and return its outcome."""
        while True:
            ended = self.ended()
            pods = self._pods()
            for key, running in self.running.items():
                self._look_at(key, running, pods.get(label_of(key)))
            for key in self.running:
                if (end := ended.get(key)) is not None:
                    return self._take(key, end)
            self._check_for_stall(pods, ended)
            time.sleep(POLL_SECONDS)

    @abstractmethod
    def begin(self, key: Key, evaluation: Evaluation | None) -> None:
        """Start a trial for the stored request, unless it is already running."""

    @abstractmethod
    def ended(self) -> Mapping[Key, Outcome]:
        """Return the outcomes of finished trials, with the cluster's reason for a failure."""

    def describe_stall(self) -> str:
        """Describe why nothing happens, as far as the cluster says."""
        return "; ".join(self._events()) or "no pod of theirs runs"

    def location(self, key: Key) -> str:
        """Return the trial's folder in the store."""
        return trial_location(self.pods.search, label_of(key))

    def jobs(self) -> Mapping[str, Any]:
        """Return the Job of each trial, by its label."""
        found = self.cluster.ask(
            self.cluster.batch.list_namespaced_job, self.cluster.namespace, label_selector=self._selector
        )
        return newest_by_trial(found.items)

    def jobs_ended(self) -> Mapping[Key, Outcome]:
        """Return the outcomes of finished Jobs."""
        jobs = {_read_label(label): job for label, job in self.jobs().items()}
        return {key: outcome for key, job in jobs.items() if (outcome := _outcome(key, job)) is not None}

    def cut_short(self, key: Key) -> None:
        """Make the trial's Job fail now. If it were deleted, it would be created again."""
        job = self.jobs().get(label_of(key))
        if job is not None:
            self.cluster.find(
                self.cluster.batch.patch_namespaced_job,
                job.metadata.name,
                self.cluster.namespace,
                {"spec": {"activeDeadlineSeconds": 1}},
            )

    def _take(self, key: Key, outcome: Outcome) -> Outcome:
        running = self.running.pop(key)
        self._last_change = time.monotonic()
        if outcome.failure is None:
            record = finished(self.store, self.location(key), FolderRecord)
            if record is None:
                failure = f"ended well, and left no {FolderRecord.FILE} in {self.location(key)} of the store"
                return Outcome(key=key, seconds=outcome.seconds, failure=failure)
            pull(
                self.store,
                self.location(key),
                record,
                running.folder,
                wanted=(RESULT, FOUND, SLICE).__contains__,
            )
            return outcome
        return Outcome(key=key, seconds=outcome.seconds, failure=running.cause or outcome.failure)

    def _look_at(self, key: Key, running: _Running, pod: Any) -> None:
        """Record and report a pod's problem, and end the trial if it lasts too long."""
        if pod is None or pod.metadata.deletion_timestamp or running.is_cut_short:
            return
        problem = problem_of(pod, self.pods.profile)
        if problem is None:
            running.failing_since = running.cause = None
            return
        running.cause = problem.cause
        if problem.is_final:
            return
        running.failing_since = running.failing_since or time.monotonic()
        lasted = time.monotonic() - running.failing_since
        if lasted > QUIET_SECONDS and running.reported != problem.cause:
            running.reported = problem.cause
            self.progress.log(f"search: trial {key[0]} cannot start: {problem.cause}")
        if lasted > self.pods.runner.pending_seconds:
            running.is_cut_short = True
            self.cut_short(key)

    def _check_for_stall(self, pods: Mapping[str, Any], ended: Mapping[Key, Outcome]) -> None:
        seen = {label: pod.status.phase for label, pod in pods.items()}, set(ended)
        phases = {pods[label].status.phase for label in map(label_of, self.running) if label in pods}
        if seen != self._seen or "Running" in phases:
            self._seen, self._last_change = seen, time.monotonic()
        limit = self.pods.runner.stall_seconds
        if time.monotonic() - self._last_change > limit:
            waiting = ", ".join(str(number) for number, _ in self.running)
            raise CellwrightError(
                f"search: nothing has happened for runner.stall_seconds, {limit:g} s, and trials {waiting} are waited "
                f"for: {self.describe_stall()}"
            )

    def _pods(self) -> Mapping[str, Any]:
        found = self.cluster.ask(
            self.cluster.core.list_namespaced_pod, self.cluster.namespace, label_selector=self._selector
        )
        return newest_by_trial(found.items)

    def _events(self) -> list[str]:
        """Return the latest warning about each pending Job."""
        jobs = self.jobs()
        names = {jobs[label].metadata.name for label in map(label_of, self.running) if label in jobs}
        events = self.cluster.ask(
            self.cluster.core.list_namespaced_event, self.cluster.namespace, field_selector="type=Warning"
        )
        latest = {e.involved_object.name: e.message for e in events.items if e.involved_object.name in names}
        return sorted(set(latest.values()))

    @property
    def _selector(self) -> str:
        return f"{SEARCH}={self.pods.search}"


def _share(pods: TrialPods, trials: Trials) -> None:
    """Store the prepared data and the common request of a search's trials."""
    log = trials.progress.log
    store = store_of(pods.store, log=log)
    log(f"search: storing {trials.data.name} in {pods.store.uri}")
    push(store, trials.data, step_location(trials.data.name), StepRecord)
    with TemporaryDirectory(prefix="cellwright-") as folder:
        write_text(Path(folder) / REQUEST, trials.request)
        upload_initial(store, Path(folder), request_location(pods.search))


def label_of(key: Key) -> str:
    """Return the label of a trial."""
    return f"{key[0]}-{key[1]}"


def _read_label(label: str) -> Key:
    """Return the key of a trial's label."""
    number, repeat = label.split("-")
    return int(number), int(repeat)


def seconds_between(start: Any, end: Any) -> float:
    """Return the seconds between two Kubernetes timestamps, at least 1, which is their resolution."""
    return max(1.0, (end - start).total_seconds()) if start and end else 1.0


def _outcome(key: Key, job: Any) -> Outcome | None:
    """Return the outcome of a Job (V1Job), or None while it is running."""
    for condition in job.status.conditions or ():
        if condition.status != "True":
            continue
        if condition.type == "Complete":
            seconds = seconds_between(job.status.start_time, job.status.completion_time)
            return Outcome(key=key, seconds=seconds, failure=None)
        if condition.type == "Failed":
            seconds = seconds_between(job.status.start_time, condition.last_transition_time)
            return Outcome(key=key, seconds=seconds, failure=_why_failed(job, condition))
    return None


def _why_failed(job: Any, condition: Any) -> str:
    if condition.reason == "DeadlineExceeded":
        return f"took longer than runner.max_seconds, {job.spec.active_deadline_seconds} s"
    return f"{condition.reason}: {condition.message}"
