"""Each kustomization below manifests/, and what it makes."""

from pathlib import Path

import pytest

from tests.manifests.objects import KUBECTL, KUSTOMIZATIONS, Object, from_files, name_of, rendered


@pytest.fixture(params=KUSTOMIZATIONS, ids=name_of)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(params=["files", "rendered"])
def objects(request: pytest.FixtureRequest, folder: Path) -> list[Object]:
    if request.param == "files":
        return from_files(folder)
    if KUBECTL is None:
        pytest.skip("kubectl renders patches, and is not here")
    return rendered(folder)
