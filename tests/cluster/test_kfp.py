"""The pipeline before a real Kubeflow Pipelines, on the cluster that KUBECONFIG names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cellwright.spec import load_spec
from cellwright_pipelines.pipeline import compile_pipeline

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def kfp_client():
    from kfp import Client
    from kubernetes import client, config

    config.load_kube_config(os.environ["KUBECONFIG"])
    service = client.CoreV1Api().read_namespaced_service("ml-pipeline", "kubeflow")
    return Client(host=f"http://{service.spec.cluster_ip}:8888")


@pytest.fixture
def uploaded(kfp_client) -> Iterator[list[str]]:
    """The ids of pipelines to delete when the test is over."""
    pipelines: list[str] = []
    yield pipelines
    for pipeline in pipelines:
        for version in kfp_client.list_pipeline_versions(pipeline).pipeline_versions or []:
            kfp_client.delete_pipeline_version(pipeline, version.pipeline_version_id)
        kfp_client.delete_pipeline(pipeline)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_kubeflow_takes_the_compiled_pipeline(kfp_client, uploaded, tmp_path: Path, example: Path):
    compiled = tmp_path / "pipeline.yaml"
    compile_pipeline(load_spec(example), compiled)
    pipeline = kfp_client.upload_pipeline(str(compiled), pipeline_name=f"test-{example.stem}")
    uploaded.append(pipeline.pipeline_id)
    [version] = kfp_client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    taken = version.pipeline_spec.get("pipeline_spec", version.pipeline_spec)
    sent = next(yaml.safe_load_all(compiled.read_text()))
    assert taken["root"]["dag"]["tasks"].keys() == sent["root"]["dag"]["tasks"].keys()
    assert taken["components"].keys() == sent["components"].keys()
