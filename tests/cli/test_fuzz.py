"""No traceback, whatever the command, the files and the environment are; for longer, `python -m tests.fuzz`."""

from tests.fuzz import impatient, problem_with

CASES = 60


def test_nothing_ends_in_a_traceback(tmp_path):
    with impatient() as here:
        found = [problem_with(seed, tmp_path / str(seed), here) for seed in range(CASES)]
    assert not [problem for problem in found if problem is not None]
