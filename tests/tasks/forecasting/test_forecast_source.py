from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from cellwright.data.examples import Source
from cellwright.data.prepared import PreparedData
from cellwright.data.reading import build_reader
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.spec import SOURCES
from cellwright.tasks.base import read_task
from cellwright.tasks.preparing import prepare

HOURS = pd.date_range("2025-06-02", periods=120, freq="h").strftime("%Y-%m-%dT%H:%M")
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "hour": HOURS,
        "load": 10 + np.sin(np.arange(120) * np.pi / 12) + RNG.normal(0, 0.1, 120),
        "wind": RNG.normal(size=120).round(3),
        "holiday": np.arange(120) // 24 % 2,
    }
)
KEYS = {"time": "hour", "targets": ["load"], "lookback": 24, "horizon": 6}


def section(path: Path, **keys: Any) -> Any:
    return SOURCES.validate({"source": "forecast", "path": path, **KEYS, **keys})


def written(folder: Path, table: pd.DataFrame) -> Path:
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def read(path: Path, **keys: Any) -> Source:
    return build_reader(section(path, **keys)).read(lambda fact: None)


def test_windows_are_followed_by_their_targets(tmp_path: Path):
    source = read(written(tmp_path, TABLE), past=["wind"], known=["holiday"], stride=5)
    examples, load = source.examples, TABLE["load"].to_numpy(np.float32)
    assert examples.inputs["past"].shape == (19, 4, 24) and examples.inputs["future"].shape == (19, 2, 6)
    assert len(examples) == 19 and examples.targets.shape == (19, 1, 6)
    np.testing.assert_array_equal(examples.targets[-1, 0], load[-6:])
    np.testing.assert_array_equal(examples.inputs["past"][-1, 0], load[-30:-6])
    np.testing.assert_array_equal(examples.inputs["past"][-2, 1], np.float32(TABLE["wind"][85:109]))
    np.testing.assert_array_equal(examples.inputs["future"][-1, 0], TABLE["holiday"][-6:])
    share = np.arange(114, 120) % 24 / 24
    np.testing.assert_allclose(examples.inputs["future"][-1, 1], share, atol=1e-6)


@pytest.mark.parametrize("stride", [1, 4])
def test_no_value_is_a_target_of_two_splits_and_tests_are_the_latest(stride: int, tmp_path: Path):
    table = TABLE.assign(load=np.arange(120) + 0.5)
    source = read(written(tmp_path, table), stride=stride)
    assert source.assigned is not None
    of = {name: source.examples.targets[source.assigned == name] for name in ("train", "validation", "test")}
    assert of["train"].max() < of["validation"].min() and of["validation"].max() < of["test"].min()
    assert of["test"].min() >= 96 and of["validation"].min() >= 72
    assert (source.assigned == "").any()


def test_long_and_wide_tables_hold_the_same(tmp_path: Path):
    wide = TABLE[["hour", "load", "wind", "holiday"]]
    one = read(written(tmp_path, wide), targets=["load", "wind"], known=["holiday"])
    long = wide.melt(["hour", "holiday"], var_name="what", value_name="value")
    other = read(written(tmp_path, long.sort_values("hour")), targets=[], series="what", known=["holiday"])
    for name, array in one.examples.inputs.items():
        np.testing.assert_array_equal(array, other.examples.inputs[name])
    np.testing.assert_array_equal(one.examples.targets, other.examples.targets)
    assert other.facts["layout"].forecast == ("load", "wind")


def test_all_other_columns_are_forecast_by_default(tmp_path: Path):
    source = read(written(tmp_path, TABLE), targets=[], known=["holiday"])
    assert source.facts["layout"].forecast == ("load", "wind")


def test_times_may_be_numbers_or_months(tmp_path: Path):
    numbers = TABLE.assign(hour=np.arange(120) * 0.5)
    assert read(written(tmp_path, numbers)).facts["layout"].calendar == ()
    months = TABLE.assign(hour=pd.date_range("2015-01-01", periods=120, freq="MS"))
    layout = read(written(tmp_path, months)).facts["layout"]
    assert (layout.step, layout.calendar) == ("MS", ("year",))


def without(table: pd.DataFrame, row: int) -> pd.DataFrame:
    return table.drop(index=row)


def with_value(column: str, row: int, value: object) -> pd.DataFrame:
    table = TABLE.astype({column: object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "keys", "message"),
    [
        (
            TABLE[:40],
            {},
            "the training split of 40 times must have at least 30 for lookback 24 and horizon 6, got 24",
        ),
        (TABLE, {"lookback": 100}, "must have at least 106 for lookback 100 and horizon 6, got 72"),
        (TABLE, {"horizon": 20}, "the test split of 120 times must have at least 40 .*, got 24"),
        (TABLE[::-1], {}, "rows must be in the order of hour, but 2025-06-06T22:00 follows 2025-06-06T23:00"),
        (
            pd.concat([TABLE[:50], TABLE[49:]]),
            {},
            "each time must be there once, but 2025-06-04T01:00 is there twice",
        ),
        (
            without(TABLE, 50),
            {},
            "evenly spaced, but 2025-06-04T03:00:00 follows 2025-06-04T01:00:00: fill the gap",
        ),
        (
            with_value("load", 7, ""),
            {},
            "'load' must have a value at each time, and has none at 2025-06-02T07:00:00",
        ),
        (with_value("load", 7, "much"), {}, "column 'load' must be a finite number, got 'much' in row 8"),
        (with_value("hour", 7, ""), {}, "column 'hour' must have a value in every row"),
        (with_value("hour", 7, "noon"), {}, "column 'hour' must be a date such as"),
        (TABLE, {"targets": ["lode"]}, "data.targets must be one of its columns, .*; did you mean 'load'?"),
        (TABLE, {"known": ["x"]}, "data.known must be one of its columns"),
        (
            TABLE.assign(hour=range(120)),
            {"calendar": ["day"]},
            "data.calendar must be left out, since column 'hour'",
        ),
        (TABLE[["hour"]], {"targets": []}, "must have a column to forecast beside hour"),
        (TABLE[:2], {}, "the training split of 2 times"),
        (TABLE.assign(load=3.0), {}, "'load' must vary in the training split"),
        (TABLE, {"limit": 5}, "data.limit must be left out"),
    ],
)
def test_bad_tables_are_refused_in_one_line(
    table: pd.DataFrame, keys: dict[str, Any], message: str, tmp_path: Path
):
    with pytest.raises(DataError, match=message) as refused:
        prepare(section(written(tmp_path, table), **keys), tmp_path / "prepared", lambda fact: None)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows.drop(index=5),
            "series wind must have the same times as series load|series load must",
        ),
        (
            lambda rows: rows.assign(holiday=range(len(rows))),
            "'holiday', known beforehand, must be the same for all",
        ),
        (
            lambda rows: rows.assign(what=rows["what"].where(rows.index != 3)),
            "must have a value in every row",
        ),
    ],
)
def test_bad_series_are_refused_in_one_line(change: Any, message: str, tmp_path: Path):
    long = TABLE.melt(["hour", "holiday"], var_name="what", value_name="value")
    keys = {"targets": ["value"], "series": "what", "known": ["holiday"]}
    with pytest.raises(DataError, match=message):
        read(written(tmp_path, change(long)), **keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"horizon": 0}, "greater than or equal to 1"),
        ({"lookback": 2}, "greater than or equal to 3"),
        ({"season": 25}, "season must be at most lookback, 24, got 25"),
        ({"past": ["load"]}, "must be named by one key, once, got 'load' twice"),
    ],
)
def test_bad_keys_are_refused(keys: dict[str, Any], message: str):
    with pytest.raises((ValidationError, DataError), match=message):
        section(Path("t.csv"), **keys)


@pytest.mark.parametrize("known", [(), ("holiday",)])
def test_the_last_rows_of_a_file_are_the_window_to_predict_from(known: tuple[str, ...], tmp_path: Path):
    keys = {"past": ["wind"], "known": known}
    prepare(section(written(tmp_path, TABLE), **keys), tmp_path / "prepared", lambda fact: None)
    data = PreparedData.open(tmp_path / "prepared")
    task: Any = read_task(data.manifest.task)
    info = task.model_info(data.manifest.inputs, Genotype(space="none", cells={}))
    rows = TABLE[-30:].astype({"load": object, "wind": object})
    rows.loc[rows.index[-6:], ["load", "wind"]] = ""
    [(_, inputs)] = task.examples_in(written(tmp_path, rows if known else rows[:-6]), info)
    for given, wanted in zip(inputs, data.test[-1:].inputs, strict=True):
        torch.testing.assert_close(given, wanted, rtol=0, atol=0)
    assert list(task.answer(data.test.targets[-1])) == ["load"]

    for short, message in (
        (rows[1:], "must have at least 24 times with values, got 23"),
        (
            rows[::2],
            "times must be h apart, as in training, but 2025-06-05T20:00:00 follows 2025-06-05T18:00:00",
        ),
        (rows.drop(columns="wind"), "data.past must be one of its columns"),
        *([(rows[:-2], "must have 6 rows after the last value with holiday, got 4")] if known else []),
    ):
        with pytest.raises(DataError, match=message):
            list(task.examples_in(written(tmp_path, short), info))
