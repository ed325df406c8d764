"""Trials of a single Katib Experiment: Katib runs the loop, and our suggestion service makes the suggestions.

For each number, the service makes the same suggestion as the search, since both depend on the evaluations only. The
search allows Katib one more trial whenever it would start one itself, so Katib never runs ahead.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kubeflow_katib_api.models import V1beta1Experiment as Experiment

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, save_evaluation
from cellwright.katib.assignments import read_number
from cellwright.katib.settings import SearchSettings
from cellwright.progress import Progress
from cellwright.runners.base import RESULT, Key, Outcome, Trials
from cellwright.runners.kubernetes.api import Cluster
from cellwright.runners.kubernetes.base import POLL_SECONDS, KubernetesRunner, seconds_between
from cellwright.runners.kubernetes.experiment import GROUP, VERSION, build_experiment
from cellwright.runners.kubernetes.jobs import JobsRunner
from cellwright.runners.kubernetes.pods import TrialPods
from cellwright.spec import SearchSpec
from cellwright.stores import upload_initial


class KatibRunner(KubernetesRunner):
    """Runs the trials of an Experiment. Evaluations on fresh seeds are not part of it, and run as plain Jobs.

    Args:
        experiment: the Experiment to create, which allows one trial.
        pods: the common properties of the trials' pods.
        cluster: the cluster and namespace.
        progress: receives messages about problems with pods.
    """

    with_katib = True

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> KubernetesRunner:
        """Build the runner of a search; a runner with plain Jobs if our suggestion service cannot run the search."""
        if trials.settings is None:
            return JobsRunner.of(spec, trials)
        pods, cluster = cls.prepared(spec, trials)
        experiment = build_experiment(spec, trials.settings, pods, max_trials=1, max_failures=None)
        return cls(experiment, pods, cluster, trials.progress)

    @classmethod
    def manifest(cls, spec: SearchSpec, settings: SearchSettings) -> Mapping[str, Any]:
        """Return the Experiment of the search, which allows all of its trials."""
        experiment = build_experiment(
            spec,
            settings,
            TrialPods.of(spec),
            max_trials=spec.budget.evaluations if spec.is_sampled else spec.budget.seeds,
            max_failures=spec.runner.max_failures,
        )
        return dict(experiment.to_dict())

    def __init__(self, experiment: Experiment, pods: TrialPods, cluster: Cluster, progress: Progress) -> None:
        super().__init__(pods, cluster, progress)
        self.experiment = experiment
        self._proposed: dict[int, Evaluation] = {}
        self._again = JobsRunner(pods, cluster, progress)
        self._max_trials = 0

    def begin(self, key: Key, evaluation: Evaluation | None) -> None:
        """Let Katib continue to the trial with this number."""
        number, repeat = key
        if repeat:
            self._again.begin(key, evaluation)
            return
        if evaluation is not None:
            self._proposed[number] = evaluation
        self._make_room(number)

    def skip(self, evaluation: Evaluation) -> None:
        """Let Katib run a trial that finds its evaluation already finished."""
        with TemporaryDirectory() as folder:
            save_evaluation(evaluation, Path(folder) / RESULT)
            upload_initial(self.store, Path(folder), self.location((evaluation.number, 0)))
        self._make_room(evaluation.number)

    def ended(self) -> Mapping[Key, Outcome]:
        """Return the outcomes of finished trials, including fresh seeds."""
        outcomes: dict[Key, Outcome] = {}
        for number, trial in self._trials().items():
            self._check_proposal(number, trial)
            if (outcome := _outcome(number, trial)) is not None:
                outcomes[number, 0] = outcome
        failed = {key for key, outcome in outcomes.items() if outcome.failure}
        if failed & self.running.keys() or any(repeat for _, repeat in self.running):
            jobs = self.jobs_ended()  # of fresh seeds; their failures are more detailed than Katib's
            outcomes |= {key: jobs[key] for key in jobs if key[1] or key in failed}
        self._check_experiment()
        return outcomes

    def stop(self) -> None:
        """Delete an unfinished Experiment if the spec says so; otherwise, stop only its suggestion service."""
        if not self.running:
            self._delete("suggestions")
        elif self.pods.runner.delete_on_cancel:
            self._again.running = {key: running for key, running in self.running.items() if key[1]}
            self._again.stop()
            self._delete("experiments")
        self.running.clear()

    def describe_stall(self) -> str:
        """Describe the Experiment and its suggestion service, as Katib reports them."""
        reasons = [super().describe_stall()]
        for plural in ("experiments", "suggestions"):
            found = self._get(plural)
            reasons += [f"{plural[:-1]}: {c['reason']}: {c['message']}" for c in _conditions(found)[-1:]]
        pods = self.cluster.ask(
            self.cluster.core.list_namespaced_pod,
            self.cluster.namespace,
            label_selector=f"katib.kubeflow.org/experiment={self.pods.search},katib.kubeflow.org/deployment",
        )
        for pod in pods.items:
            for status in pod.status.container_statuses or ():
                state = status.state.waiting or status.last_state.terminated
                if state is not None:
                    reasons.append(f"suggestion service: {state.reason}: {state.message or ''}")
        return "; ".join(reasons)

    def _found_or_created(self) -> int:
        """Return the number of trials that the Experiment allows."""
        body = self.experiment.to_dict()
        created = self.cluster.create(
            self.cluster.objects.create_namespaced_custom_object, *self._kinds, "experiments", body
        )
        where = f"{self.cluster.namespace}/{self.pods.search}"
        self.progress.log(f"search: {'created' if created else 'found'} the Katib Experiment {where}")
        return int((created or self._get("experiments"))["spec"]["maxTrialCount"])

    def _make_room(self, number: int) -> None:
        """Let Katib continue to the number, one trial at a time, once it knows all evaluations that the search knows.

        The Experiment is created with one trial when that trial's request is stored.
        """
        if not self._max_trials:
            self._max_trials = self._found_or_created()
        while self._max_trials <= number:
            self._wait_for_katib()
            self._max_trials += 1
            counts = {
                "maxTrialCount": self._max_trials,
                "parallelTrialCount": min(self.pods.runner.parallel, self._max_trials),
            }
            self.cluster.ask(
                self.cluster.objects.patch_namespaced_custom_object,
                *self._kinds,
                "experiments",
                self.pods.search,
                {"spec": counts},
            )

    def _wait_for_katib(self) -> None:
        began = time.monotonic()
        known = {number for number in range(self._max_trials) if (number, 0) not in self.running}
        while missing := known - {number for (number, repeat) in self.ended() if not repeat}:
            if time.monotonic() - began > self.pods.runner.stall_seconds:
                raise CellwrightError(
                    f"search: Katib has not seen the end of trials {sorted(missing)} for runner.stall_seconds, "
                    f"{self.pods.runner.stall_seconds:g} s: {self.describe_stall()}"
                )
            time.sleep(POLL_SECONDS)

    def _check_proposal(self, number: int, trial: Mapping[str, Any]) -> None:
        expected = self._proposed.get(number)
        proposed = _assignments(trial).get("genotype")
        if expected is not None and proposed != expected.candidate.line:
            raise CellwrightError(
                f"search: Katib's suggestion service proposed {proposed} as evaluation {number}, where "
                f"{expected.candidate.line} was due: its image must be of this version"
            )

    def _check_experiment(self) -> None:
        """Raise an error if Katib has failed the Experiment, as its webhook and our service do for invalid ones."""
        failed = [
            c
            for c in _conditions(self._get("experiments"))
            if c["type"] == "Failed" and c["status"] == "True"
        ]
        if failed:
            reasons = [c["message"] for c in _conditions(self._get("suggestions")) if c["type"] == "Failed"]
            raise CellwrightError(
                f"search: Katib ended the Experiment: {'; '.join(reasons) or failed[-1]['message']}"
            )

    def _trials(self) -> Mapping[int, Mapping[str, Any]]:
        found = self.cluster.ask(
            self.cluster.objects.list_namespaced_custom_object,
            *self._kinds,
            "trials",
            label_selector=f"katib.kubeflow.org/experiment={self.pods.search}",
        )
        return {read_number(_assignments(trial)): trial for trial in found["items"]}

    def _get(self, plural: str) -> Mapping[str, Any]:
        get = self.cluster.objects.get_namespaced_custom_object
        return self.cluster.find(get, *self._kinds, plural, self.pods.search) or {}

    def _delete(self, plural: str) -> None:
        delete = self.cluster.objects.delete_namespaced_custom_object
        self.cluster.find(delete, *self._kinds, plural, self.pods.search)

    @property
    def _kinds(self) -> tuple[str, str, str]:
        """Return the prefixes of the addresses of Katib's objects."""
        return GROUP, VERSION, self.cluster.namespace


def _assignments(trial: Mapping[str, Any]) -> Mapping[str, str]:
    return {a["name"]: a["value"] for a in trial["spec"]["parameterAssignments"]}


def _conditions(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(found.get("status", {}).get("conditions", ()))


def _outcome(number: int, trial: Mapping[str, Any]) -> Outcome | None:
    """Return the outcome of a Katib trial, or None while it is running."""
    status = trial.get("status", {})
    times = [
        datetime.fromisoformat(t) if (t := status.get(n)) else None for n in ("startTime", "completionTime")
    ]
    for condition in _conditions(trial):
        name, holds = condition["type"], condition["status"] == "True"
        if name in ("Succeeded", "EarlyStopped") and holds:
            return Outcome(key=(number, 0), seconds=seconds_between(*times), failure=None)
        if (name in ("Failed", "Killed", "MetricsUnavailable") and holds) or (
            name == "Succeeded" and not holds
        ):
            return Outcome(key=(number, 0), seconds=seconds_between(*times), failure=condition["message"])
    return None
