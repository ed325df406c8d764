"""What finds mistakes in manifests finds them."""

import copy
from typing import Any

import pytest

from tests.manifests.schema import problems

JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "a", "labels": {"b": "c"}},
    "spec": {"template": {"spec": {"containers": [{"name": "d", "ports": [{"containerPort": 1}]}]}}},
}


def test_a_valid_object_has_no_errors():
    assert problems(JOB) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("spec", "backofLimit"), 4, "Job.spec.backofLimit is no field of V1JobSpec"),
        (("spec", "backoffLimit"), "4", "Job.spec.backoffLimit must be int, got '4'"),
        (("spec", "suspend"), 1, "Job.spec.suspend must be bool, got 1"),
        (("metadata", "labels", "b"), True, "Job.metadata.labels.b must be str, got True"),
        (
            ("spec", "template", "spec", "containers"),
            {},
            "Job.spec.template.spec.containers must be a list, got {}",
        ),
        (
            ("spec", "template", "spec", "containers", 0, "ports", 0),
            {},
            "Invalid value for `container_port`, must not be `None`",
        ),
        (
            ("spec", "template", "spec", "containers", 0, "ports", 0, "containerport"),
            5,
            "Job.spec.template.spec.containers[0].ports[0].containerport is no field of V1ContainerPort",
        ),
    ],
)
def test_an_error_is_found(path: tuple[Any, ...], value: Any, problem: str):
    wrong = inner = copy.deepcopy(JOB)
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert problem in problems(wrong)
