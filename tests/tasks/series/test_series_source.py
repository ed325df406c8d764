from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cellwright.data.prepared import PreparedData
from cellwright.data.reading import build_reader
from cellwright.errors import DataError
from cellwright.spec import SOURCES
from cellwright.tasks.base import read_task
from cellwright.tasks.preparing import prepare
from cellwright.tasks.series.section import SeriesClassesSection

TS = "# two channels\n@problemName t\n@classLabel true a b\n@data\n"
ROWS = ["1,2,3,4,5:5,4,3,2,1:a", "1,?,3:2,2,2:b"] * 12


def section(path: Path, **keys: Any) -> Any:
    return SOURCES.validate({"source": "series", "path": path} | keys)


def written(folder: Path, text: str | bytes, name: str = "t.ts") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path, **keys: Any) -> Any:
    return build_reader(section(path, **keys)).read(lambda fact: None).examples


def test_channels_lengths_and_gaps_of_ts_files(tmp_path: Path):
    examples = read(written(tmp_path, TS + "\n".join(ROWS)))
    nan = np.nan
    expected = [[[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]], [[1, nan, 3, nan, nan], [2, 2, 2, nan, nan]]]
    np.testing.assert_array_equal(examples.inputs["series"][:2], np.float32(expected))
    assert examples.targets[:2].tolist() == [0, 1]


def test_npz_and_long_csv_hold_the_same(tmp_path: Path):
    values = np.random.default_rng(0).normal(size=(24, 2, 6)).astype(np.float32)
    labels = np.array(["up", "down"] * 12)
    np.savez(tmp_path / "t.npz", x=values, y=labels, owner=np.arange(24) // 4)
    rows = [
        {"series": f"s{n}", "y": labels[n], "first": a, "second": b}
        for n in range(24)
        for a, b in values[n].T.tolist()
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    ours, theirs = read(tmp_path / "t.npz"), read(tmp_path / "t.csv")
    np.testing.assert_allclose(ours.inputs["series"], theirs.inputs["series"], rtol=1e-6)
    assert ours.targets.tolist() == theirs.targets.tolist()
    source = build_reader(section(tmp_path / "t.npz", group_key="owner")).read(print)
    assert source.groups is not None and len(set(source.groups.tolist())) == 6


@pytest.mark.parametrize("kind", ["column", "one-hot", "floats", "bytes"])
def test_labels_of_archives_are_as_people_have_them(kind: str, tmp_path: Path):
    labels = np.arange(24) % 3
    given = {
        "column": labels[:, np.newaxis],
        "one-hot": np.eye(3)[labels],
        "floats": labels.astype(float),
        "bytes": labels.astype("S"),
    }[kind]
    values = np.random.default_rng(0).normal(size=(24, 9, 2))
    np.savez(tmp_path / "t.npz", x=values, y=given)
    source = build_reader(section(tmp_path / "t.npz", layout="NLC")).read(lambda fact: None)
    assert source.facts["class_names"] == ("0", "1", "2")
    assert source.examples.targets.tolist() == labels.tolist()
    np.testing.assert_array_equal(
        source.examples.inputs["series"], values.transpose(0, 2, 1).astype(np.float32)
    )


@pytest.mark.parametrize("keys", [("X", "y"), ("x_train", "y_train"), ("data", "target")])
def test_usual_names_of_arrays_are_found(keys: tuple[str, str], tmp_path: Path):
    values = np.random.default_rng(0).normal(size=(24, 2, 9))
    np.savez(tmp_path / "t.npz", **dict(zip(keys, (values, np.arange(24) % 2), strict=True)))
    told: list[str] = []
    source = build_reader(section(tmp_path / "t.npz")).read(told.append)
    np.testing.assert_array_equal(source.examples.inputs["series"], values.astype(np.float32))
    assert f"series are {keys[0]} and targets {keys[1]} (data.values_key, data.target_key)" in told[0]


def test_series_without_a_target_are_left_out(tmp_path: Path):
    said: list[str] = []
    path = written(tmp_path, "\ufeff" + TS + "\n".join([*ROWS, "1,2,3,4,5:5,4,3,2,1:?"]))
    source = build_reader(section(path)).read(said.append)
    assert len(source.examples) == len(ROWS) and source.facts["class_names"] == ("a", "b")
    assert f"{path}: 1 series without a target are left out" in said


@pytest.mark.parametrize("separator", ["\t", ",", "  "])
def test_the_archive_of_2018_begins_lines_with_the_target(separator: str, tmp_path: Path):
    lines = [
        separator.join(["1.0000e+00", "0.5", "NaN", "2", "3"]),
        separator.join(["-1", "1", "2", "3", "4"]),
    ]
    source = build_reader(section(written(tmp_path, "\n".join(lines * 9), "T_TRAIN.tsv"))).read(
        lambda fact: None
    )
    assert source.facts["class_names"] == ("-1", "1")
    np.testing.assert_array_equal(source.examples.inputs["series"][0], np.float32([[0.5, np.nan, 2, 3]]))


def test_rows_are_sorted_by_time_and_counters_are_no_values(tmp_path: Path):
    rows = pd.DataFrame(
        {
            "series": f"s{n}",
            "y": "ab"[n % 2],
            "step": step,
            "when": f"2024-01-0{step + 1}",
            "v": n + step / 2,
        }
        for step in (3, 1, 0, 2)
        for n in range(12)
    )
    rows.drop(columns="step").to_csv(tmp_path / "t.csv", index=False, sep=";")
    sorted_ = read(tmp_path / "t.csv", time_key="when", delimiter=";").inputs["series"]
    rows.sort_values("step", kind="stable").drop(columns="when").to_csv(tmp_path / "u.csv", index=False)
    said: list[str] = []
    counted = build_reader(section(tmp_path / "u.csv")).read(said.append).examples.inputs["series"]
    np.testing.assert_array_equal(
        sorted_, np.float32([[[n + step / 2 for step in range(4)]] for n in range(12)])
    )
    np.testing.assert_array_equal(sorted_, counted)
    assert "column step: ignored, it counts the times" in said


def test_gaps_are_a_channel_and_statistics_skip_them(tmp_path: Path):
    prepare(section(written(tmp_path, TS + "\n".join(ROWS))), tmp_path / "data", lambda fact: None)
    data = PreparedData.open(tmp_path / "data")
    task: Any = read_task(data.manifest.task)
    assert task.map_shape == (3, 1, 5)
    values = data.train.inputs[0]
    known = [values[:, channel][~values[:, channel].isnan()] for channel in range(2)]
    assert task.mean == pytest.approx([float(part.mean()) for part in known], abs=1e-6)
    x_BCHW = task.adapter()(values)
    assert torch.isfinite(x_BCHW).all()
    assert set(x_BCHW[:, 2].unique().tolist()) == {0.0, 0.5, 1.0}
    assert torch.isfinite(task.adapter()(torch.full((1, 2, 5), torch.nan))).all()


def test_augmentations_do_what_they_say(tmp_path: Path):
    prepare(section(written(tmp_path, TS + "\n".join(ROWS))), tmp_path / "data", lambda fact: None)
    task: Any = read_task(PreparedData.open(tmp_path / "data").manifest.task)
    series = torch.arange(200.0).expand(64, 2, 200)

    def augmented(**keys: float) -> torch.Tensor:
        settings = SeriesClassesSection(jitter=keys.pop("jitter", 0.0), **keys)
        (changed,) = task.augment((series,), settings, torch.Generator().manual_seed(0))
        return changed

    assert augmented().equal(series)
    noise = (augmented(jitter=0.5) - series).std(dim=(0, 2))
    assert noise.tolist() == pytest.approx([0.5 * std for std in task.std], rel=0.05)
    ratio = augmented(scale=0.2)[:, :, 1:] / series[:, :, 1:]
    assert 0.8 <= ratio.min() < 0.85 < 1.15 < ratio.max() <= 1.2
    steps = (augmented(shift=0.1) - series).nanmean(dim=(1, 2))
    assert steps.min() == pytest.approx(-20, abs=4) and steps.max() == pytest.approx(20, abs=4)
    blank = augmented(mask=0.3).isnan().float().mean(dim=(1, 2))
    assert 0 < blank.max() <= 0.3


BAD: Mapping[str, tuple[str, str, Mapping[str, Any], str]] = {
    "empty": ("t.ts", "", {}, "must have series, and has none"),
    "no data line": ("t.ts", "1,2,3:a\n", {}, "line 1: there must be a line @data"),
    "no target": ("t.ts", "@data\n1,2,3\n", {}, "line 2: must have a target after a colon"),
    "no number": ("t.ts", "@data\n1,x,3:a\n", {}, "line 2: values must be numbers, or ? where missing"),
    "infinite": ("t.ts", "@data\n1,inf,3:a\n", {}, "line 2: values must be finite"),
    "time stamps": ("t.ts", "@timeStamps true\n@data\n", {}, "series with time stamps cannot be read"),
    "channels differ": (
        "t.ts",
        "@data\n1,2,3,4:a\n1,2,3,4:1,2,3,4:b\n",
        {},
        "every series must have 1 channels, but number 2 has 2",
    ),
    "too short": ("t.ts", "@data\n1,2:a\n3,4:b\n", {}, "at least 4 times, got 2"),
    "one class": ("t.ts", "@data\n" + "1,2,3,4:a\n" * 9, {}, "at least two classes"),
    "rare class": ("t.ts", "@data\n" + "1,2,3,4:a\n" * 9 + "1,2,3,5:b\n", {}, "class 'b' must have at least"),
    "many classes": (
        "t.ts",
        "@data\n" + "".join(f"1,2,3,4:{n / 7}\n" for n in range(30)),
        {},
        "too many for classes: set data.predict: number",
    ),
    "text target": ("t.ts", "@data\n" + "1,2,3,4:a\n" * 9, {"predict": "number"}, "targets must be numbers"),
    "not text": ("t.ts", "\udcff", {}, "must be text in UTF-8, got the byte 0xff"),
    "other file": ("t.xls", "x", {}, "must be one of .ts, .tsv, .txt, .npz, .csv"),
    "broken archive": ("t.npz", "PK", {}, "cannot be read as a .npz archive"),
    "empty csv": ("t.csv", "", {}, "t.csv: is empty"),
    "no id": ("t.csv", "a,y\n1,2\n", {}, "data.id_key must be one of its columns, a, y, got 'series'"),
    "no values": ("t.csv", "series,y\n1,2\n", {}, "must have a column of values"),
    "text values": ("t.csv", "series,y,a\n1,2,x\n", {}, "column 'a' must be a finite number, got 'x'"),
    "infinite values": (
        "t.csv",
        "series,y,a\n1,2,inf\n",
        {},
        "column 'a' must be a finite number, got 'inf'",
    ),
    "no series": ("t.csv", "series,y,a\n,2,1\n", {}, "column 'series' must have a value in every row"),
    "two groups": ("t.csv", "series,y,a,g\n1,2,3,4\n1,2,3,5\n", {"group_key": "g"}, "must have one g"),
    "out of order": (
        "t.csv",
        "series,y,a,t\n" + "".join(f"1,2,3,{t}\n" for t in (0, 2, 1, 3)),
        {},
        "rows of a series must be in the order of time, and 't' is not: set data.time_key: t",
    ),
    "labels that are not there": ("t.ts", "@classLabel false\n@data\n1:2\n", {}, "series must have targets"),
    "a class of its own": (
        "t.ts",
        "@classLabel true a b\n@data\n1,2:c\n",
        {},
        "line 3: the class must be one of a, b, as @classLabel says, got 'c'",
    ),
    "no targets": ("t.ts", "@data\n1,2,3,4:?\n", {}, "series must have targets, and have none"),
    "no values at all": ("t.ts", "@data\n" + "?,?,?,?:a\n?,?,?,?:b\n" * 9, {}, "series must have values"),
    "two targets": ("t.csv", "series,y,a\n1,2,3\n1,3,3\n", {}, "all rows of series '1' must have one y"),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_series_are_refused_in_a_line(problem: str, tmp_path: Path):
    name, text, keys, message = BAD[problem]
    path = written(tmp_path, text.encode("utf-8", "surrogateescape"), name)
    with pytest.raises(DataError) as caught:
        prepare(section(path, **keys), tmp_path / "data", lambda fact: None)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((9, 8))}, "must have an array 'y'"),
        ({"x": np.zeros(9), "y": np.zeros(9)}, "must be numbers"),
        ({"x": np.zeros((9, 8)), "y": np.zeros(8)}, "one label for each of 9 examples"),
        ({"x": np.zeros((9, 8)), "y": np.full(9, np.nan)}, "labels must be whole numbers, got nan"),
        ({"x": np.zeros((9, 8), complex), "y": np.zeros(9)}, "must be numbers"),
        ({"x": np.full((9, 8), 1e300), "y": np.zeros(9)}, "must be finite in float32"),
        ({"x": np.zeros((9, 80, 6)), "y": np.zeros(9)}, "80 channels of 6 times: set data.layout to NLC"),
        ({"x": np.full((9, 8), np.inf), "y": np.zeros(9)}, "must be finite"),
    ],
)
def test_bad_archives_are_refused(arrays: Mapping[str, Any], message: str, tmp_path: Path):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.npz")
