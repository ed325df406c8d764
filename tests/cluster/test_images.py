"""What the images hold."""

import subprocess

import pytest

from cellwright.container_images import SUGGESTION


def docker(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(images):
    """Run a program of the suggestion image."""

    def run(program: str, *words: str) -> "subprocess.CompletedProcess[str]":
        return docker(
            "run", "--rm", "--read-only", "--network=none", f"--entrypoint={program}", SUGGESTION, *words
        )

    return run


def test_the_suggestion_image_is_small(images):
    assert int(docker("image", "inspect", "--format={{.Size}}", SUGGESTION).stdout) < 200_000_000


def test_the_suggestion_image_has_the_service_and_neither_torch_nor_a_shell(run):
    assert (
        run("python", "-c", "import cellwright.katib.service, os; assert os.getuid() == 1000").returncode == 0
    )
    assert "No module named 'torch'" in run("python", "-c", "import torch").stderr
    for program in ("sh", "bash", "pip"):
        assert "executable file not found" in run(program).stderr
