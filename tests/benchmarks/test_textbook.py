import pytest

from benchmarks.one_shot_steps import Setting, largest_difference


@pytest.mark.parametrize(("side", "num_steps"), [(8, 20), (13, 2)])
def test_darts_learns_by_the_gradients_of_the_textbook(side: int, num_steps: int):
    setting = Setting(channels=2, num_cells=3, num_nodes=2, batch_size=4, side=side)
    assert largest_difference(setting, num_steps) < 1e-10
