"""Trials as plain Jobs: our loop, Kubernetes' retries and limits, no Katib."""

from collections.abc import Mapping

from cellwright.evaluation import Evaluation
from cellwright.runners.base import Key, Outcome
from cellwright.runners.kubernetes.base import KubernetesRunner, label_of


class JobsRunner(KubernetesRunner):
    """Runs each trial as a `batch/v1` Job of a name that says which, so that it is never made twice."""

    def begin(self, key: Key, evaluation: Evaluation | None) -> None:
        """Create the trial's Job, unless there is one."""
        job = self.pods.job(label_of(key), keep_seconds=self.pods.runner.keep_seconds)
        job["metadata"]["name"] = self._name(key)
        self.cluster.create(self.cluster.batch.create_namespaced_job, self.cluster.namespace, job)

    def ended(self) -> Mapping[Key, Outcome]:
        """Return how the trials that have ended did."""
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
