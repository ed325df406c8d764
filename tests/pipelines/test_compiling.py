import pytest
import yaml
from cellwright_pipelines import compile_pipeline
from google.protobuf import json_format
from kfp import components
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec import pipeline_spec_pb2

from cellwright import __version__
from cellwright.spec import load_spec, parse_spec

STEPS = ["baselines", "evaluate", "prepare", "register", "retrain", "search"]


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
    assert sorted(inner) == STEPS
    assert {name: sorted(task.get("dependentTasks", [])) for name, task in inner.items()} == {
        "prepare": [],
        "search": ["prepare"],
        "retrain": ["prepare", "search"],
        "baselines": ["prepare", "search"],
        "evaluate": ["baselines", "prepare", "retrain"],
        "register": ["baselines", "evaluate", "prepare", "retrain", "search"],
    }


def test_steps_that_reach_outside_the_pipeline_are_never_cached(documents):
    inner = documents[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    cached = {name for name, task in inner.items() if task["cachingOptions"].get("enableCache")}
    assert cached == set(STEPS) - {"prepare", "register"}


def test_the_whole_spec_travels_as_the_default_of_a_parameter(documents, spec):
    parameters = documents[0]["root"]["inputDefinitions"]["parameters"]
    assert parse_spec(parameters["spec"]["defaultValue"]) == spec
    assert parameters["workspace"]["defaultValue"] == "/workspace"


def test_every_task_has_the_resources(documents):
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        assert executor["container"]["image"] == f"ghcr.io/cellwright/cellwright:{__version__}"
        resources = executor["container"]["resources"]
        assert (resources["resourceCpuLimit"], resources["resourceMemoryLimit"]) == ("500m", "4Gi")
        assert resources["accelerator"] == {
            "count": "2",
            "resourceCount": "2",
            "type": "amd.com/gpu",
            "resourceType": "amd.com/gpu",
        }


def test_every_task_has_the_selector_and_tolerations(documents):
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert sorted(executors) == sorted(f"exec-{step}" for step in [*STEPS, "finish"])
    for executor in executors.values():
        config = json_format.ParseDict(executor, KubernetesExecutorConfig())
        assert dict(config.node_selector.labels) == {"pool": "gpu", "zone": "a"}
        gpu, spot = config.tolerations
        assert (gpu.key, gpu.operator, gpu.value, gpu.effect) == ("gpu", "Equal", "yes", "NoSchedule")
        assert (spot.key, spot.operator, spot.value, spot.effect) == ("spot", "Exists", "", "")


def test_no_step_installs_packages_when_it_starts(compiled):
    assert "pip install" not in compiled.read_text()
