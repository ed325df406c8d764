from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network, build_supernet
from cellwright.spec import SPACES, SearchSpec
from cellwright.tasks.base import read_task
from cellwright.tasks.classical import ClassicalModel
from cellwright.tasks.forecasting.task import Forecasting, best_season
from cellwright.tasks.preparing import prepare
from tests.tasks.forecasting.test_forecast_source import TABLE, section, written


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    folder = tmp_path_factory.mktemp("forecast")
    keys = {"targets": ["load", "wind"], "known": ["holiday"], "season": 24}
    prepare(section(written(folder, TABLE), **keys), folder / "prepared", lambda fact: None)
    return PreparedData.open(folder / "prepared")


@pytest.fixture(scope="module")
def task(data: PreparedData) -> Forecasting:
    task = read_task(data.manifest.task)
    assert isinstance(task, Forecasting)
    return task


def seasonal(split: Split) -> torch.Tensor:
    return split.inputs[0][:, :2, :6]


def test_skill_is_relative_to_the_seasonal_naive_forecast_in_training(task: Forecasting, data: PreparedData):
    train = data.train
    mae = (seasonal(train) - train.targets).abs().mean(dim=(0, 2))
    torch.testing.assert_close(torch.tensor(task.scale), mae)
    assert task.score(seasonal(train), train.targets) == pytest.approx(0, abs=1e-5)
    scores = task.scores(seasonal(data.test) + 1, data.test.targets)
    errors = (seasonal(data.test) + 1 - data.test.targets).double()
    assert scores["mae"].value == pytest.approx(errors.abs().mean().item())
    assert scores["rmse"].value == pytest.approx(errors.square().mean().sqrt().item())
    assert scores["mase"].value == pytest.approx(
        (errors.abs().mean(dim=(0, 2)) / mae).mean().item(), rel=1e-5
    )
    assert scores["skill"].value == 1 - scores["mase"].value


def test_intervals_resample_horizons_not_windows_that_overlap(task: Forecasting):
    """Of errors that are the same in each horizon, an interval is as wide as if there were one window in each."""
    errors = torch.arange(10).repeat_interleave(6).double()
    every = task._interval(errors)
    once = task.model_copy(update={"stride": 6})._interval(torch.arange(10).double())
    assert (every.low, every.high) == pytest.approx((once.low, once.high))
    assert every.high - every.low > 3


@pytest.mark.parametrize("season", [7, 12])
def test_the_season_is_that_of_the_best_naive_forecast(season: int):
    values = np.sin(2 * np.pi * np.arange(300) / season) + np.random.default_rng(0).normal(0, 0.05, 300)
    windows = np.lib.stride_tricks.sliding_window_view(values, 46)[:, None]
    assert best_season(windows[..., :40], windows[..., 40:], np.ones(1)) == season
    walk = np.cumsum(np.random.default_rng(0).normal(size=300))
    windows = np.lib.stride_tricks.sliding_window_view(walk, 46)[:, None]
    assert best_season(windows[..., :40], windows[..., 40:], np.ones(1)) == 1


def test_classical_forecasts(task: Forecasting, data: PreparedData, tmp_path: Path):
    outputs = {}
    for name in ("last-value", "seasonal-naive", "nlinear"):
        (tmp_path / name).mkdir()
        ClassicalModel.fit(name, task, data.train, tmp_path / name, seed=0)
        outputs[name] = ClassicalModel.load(tmp_path / name, task).predict(data.test.inputs)
    torch.testing.assert_close(outputs["seasonal-naive"], seasonal(data.test))
    last = data.test.inputs[0][:, :2, -1:].expand(-1, -1, 6)
    torch.testing.assert_close(outputs["last-value"], last)
    scores = {name: task.score(values, data.test.targets) for name, values in outputs.items()}
    assert scores["nlinear"] > scores["last-value"]
    table = task.compared(outputs, data.test.targets)[0]
    assert table.columns == ("step ahead", *outputs) and [row[0] for row in table.rows] == [1, 2, 3, 4, 5, 6]
    assert np.mean([row[2] for row in table.rows]) == pytest.approx(1 - scores["seasonal-naive"], rel=1e-5)


def test_nlinear_continues_a_line_at_any_level(task: Forecasting):
    lines = torch.linspace(-3, 3, 40)[:, None, None] * torch.arange(30.0) + torch.randn(40, 2, 1)
    model: Any = task.build_classical("nlinear", seed=0)
    model.fit(lines[..., :24].flatten(1).numpy(), lines[..., 24:].flatten(1).numpy())
    shifted = (lines[..., :24] + 100).flatten(1).numpy()
    np.testing.assert_allclose(model.predict(shifted), (lines[..., 24:] + 100).flatten(1).numpy(), atol=0.1)


SPACE_KINDS: list[dict[str, Any]] = [
    {"kind": "kernels", "channels": 4, "num_blocks": 2},
    {"kind": "chain", "channels": 4, "num_layers": 3},
    {"kind": "darts", "channels": 4, "num_cells": 3},
    {"kind": "stages"},
]


@pytest.mark.parametrize("keys", SPACE_KINDS, ids=lambda keys: keys["kind"])
def test_networks_of_all_spaces_forecast_relative_to_the_window(
    keys: dict[str, Any], task: Forecasting, data: PreparedData
):
    """The level and the unit of the targets pass through, and what is known of the horizon is read."""
    import random

    space = SPACES.validate(keys)
    network = build_network(space, task, build_space(space).sample(random.Random(0))).eval()
    past, future = data.test[:5].inputs
    with torch.no_grad():
        outputs = network(past, future)
        assert outputs.shape == (5, 2, 6)
        assert not torch.allclose(outputs, network(past, future + 1))
        for layer in ("at_each_time", "on_average"):
            head: Any = getattr(network.head, "widest", network.head)
            torch.nn.init.zeros_(getattr(head, layer).weight)
            torch.nn.init.zeros_(getattr(head, layer).bias)
        torch.testing.assert_close(network(past, future), seasonal(data.test[:5]), rtol=1e-4, atol=1e-4)


def test_a_supernet_of_chains_runs_narrow_heads_that_read_maps(task: Forecasting, data: PreparedData):
    space = SPACES.validate({"kind": "chain", "channels": 4, "num_layers": 3})
    supernet = build_supernet(space, task).eval()
    mixture = {
        group: torch.full((decisions, choices), 1 / choices)
        for group, (decisions, choices) in supernet.space.decisions.items()
    }
    narrow = {group: [[0]] * decisions for group, (decisions, _) in supernet.space.decisions.items()}
    with torch.no_grad():
        assert supernet(data.test[:3].inputs, mixture, narrow).shape == (3, 2, 6)


def test_spaces_for_other_data_are_refused():
    data = {"source": "forecast", "path": "t.csv", "time": "t", "lookback": 8, "horizon": 2}
    with pytest.raises(ValueError, match="space.kind must be one of kernels, .* for forecasting, got dense"):
        SearchSpec.model_validate({"name": "a", "data": data, "space": {"kind": "dense"}})
