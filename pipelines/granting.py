"""What a spec grants the pod of each task: its resource profile, the store, secrets, a time limit and retries."""

from kfp import dsl, kubernetes

from cellwright.pod_labels import STEP
from cellwright.spec import Resources, SearchSpec

FINISH = Resources(cpu="500m", memory="1Gi")
"""The exit handler's profile: it does nothing but delete."""
USER = 1000
"""Of the image."""
TRACKING_KEYS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
LONGEST_RETRYING = "31536000s"
"""Argo counts this from the first attempt's start, and begins no attempt after it; KFP calls it the longest wait."""


def grant(task: dsl.PipelineTask, spec: SearchSpec) -> None:
    """Give a task of the spec's pipeline, named after its step, what the spec grants it.

    KFP has no way to give a task a priority class; trials have it.
    """
    resources = FINISH if task.name == "finish" else spec.step_resources(task.name)
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
    if spec.store and spec.store.secret:
        _give_secret(task, spec.store.secret, spec.store.secret_keys)
    if spec.tracking.secret:
        _give_secret(task, spec.tracking.secret, TRACKING_KEYS)


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
    """Put keys of the Secret, which must have all of them, into the environment."""
    kubernetes.use_secret_as_env(task, name, {key: key for key in keys})
