"""Applies a spec to the pod of each task: resource profile, store, secrets, time limit and retries."""

from kfp import dsl, kubernetes

from cellwright.pod_labels import STEP
from cellwright.runners.kubernetes.pods import USER
from cellwright.spec import Resources, SearchSpec
from cellwright_pipelines.step_secrets import step_secrets

FINISH = Resources(cpu="500m", memory="1Gi")
"""Resources of the exit handler, which only deletes objects."""
LONGEST_RETRYING = "31536000s"
"""Argo measures this from the first attempt's start, and starts no attempt after it. KFP calls it maximum backoff."""


def grant(task: dsl.PipelineTask, spec: SearchSpec) -> None:
    """Apply the spec to a task, which is named after its step.

    KFP cannot set the priority class of a task; trials have one.
    """
    step = "prepare" if task.name == "decide" else task.name
    resources = FINISH if step == "finish" else spec.step_resources(step)
    task.set_caching_options(False)
    _give_profile(task, resources)
    kubernetes.add_pod_label(task, STEP, task.name)
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.empty_dir_mount(task, "scratch", "/tmp", size_limit=resources.scratch)
    kubernetes.set_timeout(task, spec.pipeline.max_seconds)
    task.set_retry(
        num_retries=spec.pipeline.spot_retries if resources.spot else spec.pipeline.retries,
        backoff_duration="10s",
        backoff_factor=2,
        backoff_max_duration=LONGEST_RETRYING,
    )
    if spec.pipeline.image:
        task.set_container_image(spec.pipeline.image)
    if spec.store and spec.store.claim:
        kubernetes.mount_pvc(task, spec.store.claim, spec.store.uri)
    for secret in step_secrets(spec):
        _give_secret(task, secret.name, secret.keys)


def _give_profile(task: dsl.PipelineTask, resources: Resources) -> None:
    task.set_cpu_limit(resources.cpu).set_cpu_request(resources.cpu_request or resources.cpu)
    task.set_memory_limit(resources.memory).set_memory_request(resources.memory)
    if resources.gpus:
        task.set_accelerator_type(resources.gpu_resource).set_accelerator_limit(resources.gpus)
    for key, value in resources.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    for toleration in resources.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())
    if node_affinity := resources.affinity.get("nodeAffinity"):
        kubernetes.add_node_affinity_json(task, node_affinity)
    if resources.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(resources.image_pull_secrets))


def _give_secret(task: dsl.PipelineTask, name: str, keys: tuple[str, ...]) -> None:
    """Set environment variables from keys of the Secret, all of which must exist."""
    kubernetes.use_secret_as_env(task, name, {key: key for key in keys})
