"""Trials as plain Jobs: our loop, Kubernetes' retries and limits, no Katib."""

from collections.abc import Mapping

from cellwright.evaluation import Evaluation
from cellwright.runners._base import Key, Outcome
from cellwright.runners.on_kubernetes._base import KubernetesRunner


class JobsRunner(KubernetesRunner):
    """Runs each trial as a `batch/v1` Job of a name that says which, so that it is never made twice."""

    def begin(self, key: Key, evaluation: Evaluation | None) -> None:
        """Create the trial's Job, unless there is one."""
        job = self.pods.job(f"{key[0]}-{key[1]}", keep_seconds=self.pods.runner.keep_seconds)
        job["metadata"]["name"] = f"{self.pods.search}-{key[0]}-{key[1]}"
        self.cluster.create(self.cluster.batch.create_namespaced_job, self.cluster.namespace, job)

    def ended(self) -> Mapping[Key, Outcome]:
        """Return how the trials that have ended did."""
        return self.jobs_ended()

    def stop(self) -> None:
        """Delete the Jobs of running trials, if the spec says so."""
        if self.pods.runner.delete_on_cancel:
            for number, repeat in self.running:
                self.cluster.find(
                    self.cluster.batch.delete_namespaced_job,
                    f"{self.pods.search}-{number}-{repeat}",
                    self.cluster.namespace,
                    propagation_policy="Background",
                )
        self.running.clear()
