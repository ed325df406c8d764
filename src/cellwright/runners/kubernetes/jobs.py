"""Trials as plain Jobs: our own loop with Kubernetes' retries and limits, without Katib."""

from collections.abc import Mapping
from typing import Any, Self

from cellwright.evaluation import Evaluation
from cellwright.katib.settings import SearchSettings
from cellwright.runners.base import Key, Outcome, Trials
from cellwright.runners.kubernetes.base import KubernetesRunner, label_of
from cellwright.runners.kubernetes.pods import TrialPods
from cellwright.spec import SearchSpec


class JobsRunner(KubernetesRunner):
    """Runs each trial as a `batch/v1` Job. The Job's name identifies the trial, so that it is not created twice."""

    with_katib = False

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> Self:
        """Return the runner of a search."""
        return cls(*cls.prepared(spec, trials), trials.progress)

    @classmethod
    def manifest(cls, spec: SearchSpec, settings: SearchSettings) -> Mapping[str, Any]:
        """Return the Job of the search's first trial."""
        pods = TrialPods.of(spec)
        job = pods.job("0-0", keep_seconds=pods.runner.keep_seconds)
        return {**job, "metadata": {"name": f"{pods.search}-0-0", **job["metadata"]}}

    def begin(self, key: Key, evaluation: Evaluation | None) -> None:
        """Create the trial's Job, unless it exists."""
        job = self.pods.job(label_of(key), keep_seconds=self.pods.runner.keep_seconds)
        job["metadata"]["name"] = self._name(key)
        self.cluster.create(self.cluster.batch.create_namespaced_job, self.cluster.namespace, job)

    def ended(self) -> Mapping[Key, Outcome]:
        """Return the outcomes of finished trials."""
        return self.jobs_ended()

    def stop(self) -> None:
        """Delete the Jobs of running trials, if the spec says so."""
        if self.pods.runner.delete_on_cancel:
            for key in self.running:
                self.cluster.find(
                    self.cluster.batch.delete_namespaced_job,
                    self._name(key),
                    self.cluster.namespace,
                    propagation_policy="Background",
                )
        self.running.clear()

    def _name(self, key: Key) -> str:
        return f"{self.pods.search}-{label_of(key)}"
