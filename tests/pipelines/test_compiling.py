from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp import components
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec import pipeline_spec_pb2

from cellwright import __version__
from cellwright.spec import load_spec, parse_spec, unpack_spec
from cellwright.step_list import STEPS
from cellwright_pipelines.pipeline import compile_pipeline
from cellwright_pipelines.records import POLICY_BRANCH


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "search.yaml"
    path.write_text(
        """
        name: on-a-cluster
        data: {source: npz, path: "größen python3.npz"}
        resources:
          cpu: 500m
          memory: 4Gi
          gpus: 2
          gpu_resource: amd.com/gpu
          node_selector: {pool: gpu, zone: a}
          tolerations:
            - {key: gpu, value: "yes", effect: NoSchedule}
            - {key: spot, operator: Exists}
        """
    )
    return load_spec(path)


@pytest.fixture(scope="module")
def compiled(spec, tmp_path_factory):
    path = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    compile_pipeline(spec, path)
    return path


@pytest.fixture(scope="module")
def documents(compiled):
    return list(yaml.safe_load_all(compiled.read_text()))


def test_the_file_holds_kfp_s_own_messages(compiled, documents):
    pipeline, platform = documents
    message = json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    assert message.pipeline_info.name == "on-a-cluster"
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    assert components.load_component_from_file(str(compiled)).name == "on-a-cluster"


def test_the_exit_handler_holds_every_step(documents):
    root = documents[0]["root"]["dag"]["tasks"]
    assert root["finish"]["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    inner = documents[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert inner.keys() == STEPS.keys()
    assert {name: sorted(task.get("dependentTasks", [])) for name, task in inner.items()} == {
        name: sorted(step.inputs) for name, step in STEPS.items()
    }


def test_kubeflow_caches_nothing_as_it_knows_neither_data_nor_code(documents):
    inner = documents[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert not [name for name, task in inner.items() if task["cachingOptions"].get("enableCache")]


def test_every_step_is_retried_for_as_long_as_it_takes(documents):
    inner = documents[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    for task in inner.values():
        policy = task["retryPolicy"]
        assert (policy["maxRetryCount"], policy["backoffMaxDuration"]) == (2, "31536000s")


def test_the_whole_spec_travels_as_the_default_of_a_parameter(documents, spec):
    parameters = documents[0]["root"]["inputDefinitions"]["parameters"]
    assert unpack_spec(parameters["spec"]["defaultValue"]) == spec
    assert parameters["workspace"]["defaultValue"] == ""


def test_every_step_has_the_resources_and_the_end_next_to_none(documents):
    executors = documents[0]["deploymentSpec"]["executors"]
    end = executors["exec-finish"]["container"]["resources"]
    assert (end["resourceCpuLimit"], end["resourceMemoryLimit"], "accelerator" in end) == (
        "500m",
        "1Gi",
        False,
    )
    for step in STEPS:
        container = executors[f"exec-{step}"]["container"]
        assert container["image"] == f"ghcr.io/cellwright/cellwright:{__version__}"
        resources = container["resources"]
        assert (resources["resourceCpuLimit"], resources["resourceMemoryLimit"]) == ("500m", "4Gi")
        assert (resources["resourceCpuRequest"], resources["resourceMemoryRequest"]) == ("500m", "4Gi")
        assert resources["accelerator"] == {
            "count": "2",
            "resourceCount": "2",
            "type": "amd.com/gpu",
            "resourceType": "amd.com/gpu",
        }


def test_every_task_has_the_selector_and_tolerations(documents):
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert sorted(executors) == sorted(f"exec-{step}" for step in [*STEPS, "finish"])
    for step in STEPS:
        config = json_format.ParseDict(executors[f"exec-{step}"], KubernetesExecutorConfig())
        assert dict(config.node_selector.labels) == {"pool": "gpu", "zone": "a"}
        gpu, spot = config.tolerations
        assert (gpu.key, gpu.operator, gpu.value, gpu.effect) == ("gpu", "Equal", "yes", "NoSchedule")
        assert (spot.key, spot.operator, spot.value, spot.effect) == ("spot", "Exists", "", "")


def test_every_task_is_without_root_and_its_disk_is_bounded(documents):
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for executor in executors.values():
        config = json_format.ParseDict(executor, KubernetesExecutorConfig())
        context = config.security_context
        assert (context.run_as_user, context.run_as_group, context.run_as_non_root) == (1000, 1000, True)
        [volume] = config.empty_dir_mounts
        assert (volume.mount_path, volume.size_limit) == ("/tmp", "10Gi")


def test_no_step_installs_packages_when_it_starts(compiled):
    assert "pip install" not in compiled.read_text()


def executor_of(documents, step: str) -> KubernetesExecutorConfig:
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return json_format.ParseDict(executors[f"exec-{step}"], KubernetesExecutorConfig())


def test_each_step_has_its_own_profile(tmp_path):
    (tmp_path / "profiles.yaml").write_text(
        """
        ours:
          cpu: 3
          cpu_request: 500m
          affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}
          image_pull_secrets: [registry]
        """
    )
    (tmp_path / "search.yaml").write_text(
        """
        name: profiled
        data: {source: digits}
        profiles: profiles.yaml
        resources: {profile: ours, memory: 9Gi}
        store: {uri: /shared/nas, claim: volume}
        tracking: {secret: mlflow-login}
        pipeline:
          image: ghcr.io/me/mine:1
          max_seconds: 600
          spot_retries: 7
          resources: {search: {profile: gpu-a100-spot}}
        """
    )
    compile_pipeline(load_spec(tmp_path / "search.yaml"), tmp_path / "pipeline.yaml")
    documents = list(yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text()))
    executors = documents[0]["deploymentSpec"]["executors"]
    tasks = documents[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    search, retrain = (executors[f"exec-{step}"]["container"] for step in ("search", "retrain"))
    assert search["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert tasks["search"]["retryPolicy"]["maxRetryCount"] == 7
    pod = executor_of(documents, "search")
    assert pod.node_selector.labels["cloud.google.com/gke-accelerator"] == "nvidia-tesla-a100"
    assert [toleration.key for toleration in pod.tolerations] == [
        "nvidia.com/gpu",
        "cloud.google.com/gke-spot",
    ]
    assert retrain["image"] == "ghcr.io/me/mine:1"
    resources = retrain["resources"]
    assert (resources["resourceCpuLimit"], resources["resourceCpuRequest"]) == ("3", "500m")
    assert resources["resourceMemoryLimit"] == "9Gi"
    pod = executor_of(documents, "retrain")
    assert len(pod.node_affinity) == 1
    assert [secret.secret_name for secret in pod.image_pull_secret] == ["registry"]
    assert pod.active_deadline_seconds == 600
    assert pod.pod_metadata.labels["cellwright.dev/step"] == "retrain"
    assert [(mount.constant, mount.mount_path) for mount in pod.pvc_mount] == [("volume", "/shared/nas")]
    (secret,) = pod.secret_as_env
    assert {key.env_var for key in secret.key_to_env} == {
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
    }


def test_with_a_policy_the_steps_after_prepare_are_a_branch_with_the_spec_that_was_decided(tmp_path: Path):
    spec = parse_spec('{"name": "fake", "data": {"source": "digits"}, "policy": {}}')
    compile_pipeline(spec, tmp_path / "pipeline.yaml")
    ir, *_ = yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text())
    components = ir["components"]
    handled = components["comp-exit-handler-1"]["dag"]["tasks"]
    assert handled.keys() == {"prepare", "decide", POLICY_BRANCH}
    condition = handled[POLICY_BRANCH]["triggerPolicy"]["condition"]
    assert condition == "inputs.parameter_values['pipelinechannel--decide-Output'] != 'nothing'"
    rest = components[f"comp-{POLICY_BRANCH}"]["dag"]["tasks"]
    assert rest.keys() == {*STEPS} - {"prepare"}
    given = {task["inputs"]["parameters"]["spec"]["componentInputParameter"] for task in rest.values()}
    assert given == {"pipelinechannel--decide-chosen"}
