"""A pipeline that is killed, frozen and lied to ends as one that was left alone, or in an error that names a file."""

from pathlib import Path

import pytest

from tests.steps.chaos import Ground, chaos, is_right, undisturbed


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    return undisturbed(Ground.volume(tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize(("seed", "flips"), [(0, False), (1, True)])
def test_every_process_ends_the_same(whole: str, tmp_path: Path, seed: int, flips: bool):
    answers = chaos(seed, Ground.volume(tmp_path), flips=flips)
    assert all(is_right(answer, whole) for answer in answers), answers
    assert flips or answers[-1] == whole
