import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cellwright.data import DataManifest
from cellwright.data.prepared import PreparedData
from cellwright.data.reading import build_reader
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.spec import SOURCES
from cellwright.tasks.base import read_task
from cellwright.tasks.preparing import prepare
from cellwright.tasks.tables.columns import FIRST_LEVEL, MISSING, NO_DATE, UNKNOWN

ROWS = 60


def table(**changes: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {
        "amount": rng.normal(size=ROWS).round(3),
        "colour": rng.choice(["red", "green", "blue"], ROWS),
        "day": [f"2024-0{1 + i % 6}-1{i % 9}" for i in range(ROWS)],
        "y": ["yes", "no"] * (ROWS // 2),
    }
    return pd.DataFrame(columns | changes)


def section(path: Path, **keys: Any) -> Any:
    return SOURCES.validate({"source": "table", "path": path, "target": "y"} | keys)


def written(folder: Path, content: pd.DataFrame | str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    match content:
        case pd.DataFrame():
            content.to_csv(path, index=False)
        case str():
            path.write_text(content)
        case bytes():
            path.write_bytes(content)
    return path


def prepared(folder: Path, rows: pd.DataFrame, **keys: Any) -> tuple[DataManifest, list[str]]:
    facts: list[str] = []
    return prepare(section(written(folder, rows), **keys), folder / "data", facts.append), facts


def test_types_are_inferred_and_reported(tmp_path: Path):
    rows = table(number=range(ROWS), text=[f"note {i}" for i in range(ROWS)], same="x", flag=[1, 0, 1] * 20)
    rows.loc[3, ["amount", "colour", "day"]] = None
    manifest, facts = prepared(tmp_path, rows)
    task: Any = read_task(manifest.task)
    assert {c.name: c.kind for c in task.columns} == {
        "amount": "number",
        "flag": "number",
        "colour": "category",
        "day": "date",
    }
    said = "\n".join(facts)
    assert "column colour: category of 3 levels, 1.7% missing" in said
    assert "column day: date from 2024-01-10 to 2024-06-1" in said
    assert "column number: ignored: it counts the rows" in said
    assert "column text: ignored: 60 different texts in 60 rows" in said
    assert "column same: ignored: all values are the same" in said


def test_given_types_overrule(tmp_path: Path):
    rows = table(zone=[101, 205, 309] * 20)
    manifest, _ = prepared(tmp_path, rows, types={"zone": "category", "amount": "ignore"})
    task: Any = read_task(manifest.task)
    assert task.levels["zone"] == ("101", "205", "309") and "amount" not in task.numbers


def test_parquet_that_stands_for_more_than_memory_is_refused_before_it_is_read(tmp_path: Path, monkeypatch):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": np.zeros(200_000, np.int8), "y": np.zeros(200_000, np.int8)}).to_parquet(path)
    monkeypatch.setattr("cellwright.data.memory._memory", lambda: 1 << 20)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(DataError, match=r"t\.parquet takes 2 MiB, and there are 1 MiB of memory"):
        build_reader(section(path)).read(print)


@pytest.mark.parametrize("is_category", [False, True])
def test_parquet_whose_texts_are_stored_once_and_stand_for_more_than_memory_is_refused(
    is_category: bool, tmp_path: Path, monkeypatch
):
    path = tmp_path / "t.parquet"
    texts = pd.Series(["x" * 20_000] * 200)
    rows = {"a": texts.astype("category") if is_category else texts, "y": np.arange(200) % 2}
    pd.DataFrame(rows).to_parquet(path)
    monkeypatch.setattr("cellwright.data.memory._memory", lambda: 1 << 23)
    assert path.stat().st_size < 1 << 18
    with pytest.raises(DataError, match=r"t\.parquet takes 15 MiB, and there are 8 MiB of memory"):
        build_reader(section(path)).read(print)


def test_parquet_is_read_as_csv_is(tmp_path: Path):
    rows = table()
    rows["day"] = pd.to_datetime(rows["day"])
    rows["colour"] = rows["colour"].astype("category")
    rows.to_parquet(tmp_path / "t.parquet")
    ours = build_reader(section(tmp_path / "t.parquet")).read(print).examples
    theirs = build_reader(section(written(tmp_path, table()))).read(print).examples
    assert {name: array.tobytes() for name, array in ours.inputs.items()} == {
        name: array.tobytes() for name, array in theirs.inputs.items()
    }


def test_a_folder_is_the_sum_of_its_files(tmp_path: Path):
    rows = table()
    (tmp_path / "parts").mkdir()
    written(tmp_path / "parts", rows[:20], "a.csv")
    written(tmp_path / "parts", rows[20:], "b.csv")
    ours = build_reader(section(tmp_path / "parts")).read(print).examples
    theirs = build_reader(section(written(tmp_path, rows))).read(print).examples
    assert ours.inputs["numbers"].tobytes() == theirs.inputs["numbers"].tobytes()


def test_a_folder_of_splits_or_with_leftovers_is_not_summed_up(tmp_path: Path):
    (tmp_path / "parts" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("a.csv", ".ipynb_checkpoints/a-checkpoint.csv", "._a.csv"):
        table().to_csv(tmp_path / "parts" / name, index=False)
    source = build_reader(section(tmp_path / "parts")).read(lambda fact: None)
    assert len(source.examples) == ROWS
    for name in ("train.csv", "test.csv"):
        (tmp_path / "parts" / "a.csv").rename(tmp_path / "parts" / name)
        table().to_csv(tmp_path / "parts" / "a.csv", index=False)
    (tmp_path / "parts" / "a.csv").unlink()
    with pytest.raises(DataError, match=r"set data.path: .*train.csv and data.test_path: .*test.csv"):
        build_reader(section(tmp_path / "parts")).read(lambda fact: None)


def test_a_partitioned_table_is_refused(tmp_path: Path):
    table().to_parquet(tmp_path / "parts", partition_cols=["colour"])
    with pytest.raises(
        DataError, match="parts: files must have all columns, but the folder colour=blue has one"
    ):
        build_reader(section(tmp_path / "parts")).read(lambda fact: None)


def test_classes_have_their_natural_order_and_no_decimals(tmp_path: Path):
    rows = table(y=[float(row % 12) for row in range(ROWS)])
    rows.loc[0, "y"] = None
    rows.to_parquet(tmp_path / "t.parquet")
    source = build_reader(section(tmp_path / "t.parquet")).read(lambda fact: None)
    assert source.facts["class_names"] == tuple(map(str, range(12)))


def test_what_people_did_not_mean_is_reported(tmp_path: Path):
    rows = table(owner=["a", "b", "c", "d"] * 15, y=["yes", "Yes", "no"] * 20)
    rows.sample(frac=1, random_state=0).iloc[:50].to_csv(tmp_path / "t.csv", sep="\t")
    table(amount=np.arange(ROWS) / 7, owner="b", y=rows["y"]).to_csv(tmp_path / "test.csv", sep="\t")
    facts: list[str] = []
    own = section(tmp_path / "t.csv", test_path=tmp_path / "test.csv", delimiter="tab", group_by="owner")
    prepare(own, tmp_path / "data", facts.append)
    assert "column Unnamed: 0: ignored: it has no name and numbers the rows, as pandas writes them" in facts
    assert "leak: 1 groups are in the training set and in the test set" in facts
    assert any(fact.endswith("the classes Yes and yes differ by case alone") for fact in facts)


@pytest.mark.parametrize("keys", [{"group_by": "y"}, {"types": {"y": "number"}}], ids=str)
def test_the_target_is_nothing_else(keys: Mapping[str, Any], tmp_path: Path):
    with pytest.raises(ValueError, match="must not be the target|must be of columns that networks read"):
        section(written(tmp_path, GOOD), **keys)


def test_what_training_has_not_seen_is_unknown(tmp_path: Path):
    rows = table(split=["train"] * 30 + ["validation"] * 10 + ["test"] * 20)
    rows.loc[50, "colour"] = "mauve"
    rows.loc[51, "colour"] = None
    rows.loc[52, ["amount", "day"]] = None
    manifest, facts = prepared(tmp_path, rows, split="split")
    data = PreparedData.open(tmp_path / "data")
    numbers, categories, dates = data.test.inputs
    assert categories[10, 0] == UNKNOWN and categories[11, 0] == MISSING
    assert categories[0, 0] >= FIRST_LEVEL
    assert numbers[12, 0].isnan() and dates[12, 0] == NO_DATE
    assert any("5.00% of test has levels that training has not seen" in fact for fact in facts)
    assert manifest.split_sizes == {"train": 30, "validation": 10, "test": 20}


def test_groups_are_never_in_two_splits(tmp_path: Path):
    groups = [f"g{i % 12}" for i in range(ROWS)]
    prepared(tmp_path, table(owner=groups, number=np.arange(ROWS) ** 2), group_by="owner")
    data = PreparedData.open(tmp_path / "data")
    owners = [
        set((s.inputs[0][:, 1].sqrt().round().int() % 12).tolist())
        for s in (data.train, data.validation, data.test)
    ]
    assert all(owners) and sum(map(len, owners)) == len(set.union(*owners)) == 12


def test_later_rows_are_in_later_splits(tmp_path: Path):
    rows = table(when=np.random.default_rng(1).permutation(ROWS))
    prepared(tmp_path, rows, time="when")
    data = PreparedData.open(tmp_path / "data")
    train, validation, test = (s.inputs[0][:, 1] for s in (data.train, data.validation, data.test))
    assert train.max() < validation.min() and validation.max() < test.min()
    assert len(test) == 12


def test_leaks_are_reported(tmp_path: Path):
    rows = table(code=[7, 3] * (ROWS // 2), owner=["a", "b", "c"] * 20)
    rows["split"] = ["train"] * 30 + ["validation"] * 15 + ["test"] * 15
    _, facts = prepared(tmp_path, rows, split="split", group_by="owner")
    assert any(fact.startswith("leak? column code alone predicts the target: 1.0000") for fact in facts)
    assert "leak: 3 groups are in train and in test" in facts


def test_leaks_are_sought_in_one_row_too(tmp_path: Path):
    rows = table(split=["train"] * 40 + ["validation"] + ["test"] * 19)
    manifest, _ = prepared(tmp_path, rows, split="split", target="amount", predict="number")
    assert manifest.split_sizes["validation"] == 1


def test_rows_to_predict_are_read_as_training_data_was(tmp_path: Path):
    rows = table(split=["train"] * 30 + ["validation"] * 10 + ["test"] * 20)
    rows.loc[50, "colour"] = "mauve"
    rows.loc[51, ["amount", "colour", "day"]] = None
    manifest, _ = prepared(tmp_path, rows, split="split")
    task: Any = read_task(manifest.task)
    info = task.model_info(manifest.inputs, Genotype(space="none", cells={}))
    file = written(tmp_path, rows[40:].drop(columns=["y", "split"]), "new.csv")
    names, inputs = zip(*task.examples_in(file, info), strict=True)
    assert names[0] == f"{file}[0]" and len(names) == 20
    for ours, theirs in zip(
        zip(*inputs, strict=True), PreparedData.open(tmp_path / "data").test.inputs, strict=True
    ):
        assert torch.cat(ours).nan_to_num(7).equal(theirs.nan_to_num(7))
    with pytest.raises(DataError, match="must have the column 'colour', got amount, day"):
        list(task.examples_in(written(tmp_path, rows[["amount", "day"]], "new.csv"), info))


GOOD = table()
BAD: Mapping[str, tuple[Any, Mapping[str, Any], str]] = {
    "no target": (
        GOOD,
        {"target": "z"},
        "data.target must be one of its columns, amount, colour, day, y, got 'z'",
    ),
    "no group": (GOOD, {"group_by": "z"}, "data.group_by must be one of its columns"),
    "no type": (GOOD, {"types": {"z": "number"}}, "data.types.z must be one of its columns"),
    "one class": (table(y="yes"), {}, "at least two classes"),
    "rare class": (table(y=["a", "b"] * 29 + ["c", "c"]), {}, "class 'c' must have at least 5 examples"),
    "too many classes": (table(y=range(ROWS)), {}, "60 different values in 60 rows, too many for classes"),
    "text target": (GOOD, {"predict": "number"}, "column 'y' must be a finite number, got 'yes' in row 1"),
    "constant target": (table(y=3), {"predict": "number"}, "targets must differ"),
    "log of zero": (
        table(y=range(ROWS)),
        {"predict": "number", "log": True},
        "must be above 0 for their logarithm",
    ),
    "no target values": (table(y=""), {}, "column 'y' must have values, and has none"),
    "no number": (GOOD, {"types": {"colour": "number"}}, "column 'colour' must be a finite number, got"),
    "no date": (GOOD, {"types": {"colour": "date"}}, "column 'colour' must be a date such as 2024-05-31"),
    "nothing to read": (GOOD[["y"]], {}, "at least one column beside the target"),
    "empty": ("", {}, "t.csv: is empty"),
    "header alone": ("amount,y\n", {}, "must have rows, and has none"),
    "ragged": ("a,y\n1,yes\n1,2,3,4,no\n", {}, "cannot be read as a table"),
    "not utf-8": (b"a,y\n\xff\xfe,yes\n", {}, "must be text in UTF-8, got the byte 0xff"),
    "utf-16": ("a,y\n1,yes\n".encode("utf-16"), {}, "it is UTF-16: save it as UTF-8"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid x\n",
        {},
        "is a pointer of Git LFS, not the data",
    ),
    "a web page": ("\n<!DOCTYPE html>\n<html>404</html>", {}, "is a web page, not the data"),
    "xlsx": (b"PK\x03\x04rest", {}, "is an archive (zip or xlsx)"),
    "compressed": (gzip.compress(b"a,y\n1,yes\n"), {}, "it is compressed: unpack it"),
    "no names": ("1,2,0\n3,4,0\n", {"target": "0"}, "must begin with the names of its columns"),
    "a name twice": ("a,y,y\n1,0,0\n", {}, "all different, but 'y' is there twice"),
    "another separator": ("a;y\n1;no\n", {}, "its values are separated by ';': set data.delimiter"),
    "another separator and commas": ("a;y\n1,5;no\n", {}, "is it separated by ';'?"),
    "another case": (GOOD, {"target": "Y"}, "did you mean 'y'?"),
    "more values than names": ("a,y\n" + "1,yes,x\n" * 9, {}, "Expected 2 fields in line 2, saw 3"),
    "commas in numbers": (table(a="0,5"), {}, "numbers must be written as 1234.5, got '0,5'"),
    "currency": (table(a="$1,200.50"), {}, "numbers must be written as 1234.5, got '$1,200.50'"),
    "percent": (table(a="5 %"), {}, "numbers must be written as 1234.5, got '5 %'"),
    "day first": (table(a="31.12.2024"), {}, "dates must be written as 2024-05-31, got '31.12.2024'"),
    "missing as a word": (
        table(a=["unknown", "unknown", *range(2, ROWS)]),
        {},
        "column 'a' must be numbers, but 2 of 60 values are 'unknown': add that to data.missing",
    ),
    "a number beyond float32": (table(a=[1e300, *range(1, ROWS)]), {}, "1 of 60 values are '1e+300'"),
    "reserved": (table(logits=1.0), {}, "no column may be called 'logits'"),
    "no split": (
        table(s="half"),
        {"split": "s"},
        "column 's' must be one of train, validation, test, got 'half'",
    ),
    "no test": (table(s=["train", "validation"] * 30), {"split": "s"}, "but test has none"),
    "one moment": (table(t=5), {"time": "t"}, "examples of different times"),
    "time missing": (
        table(t=[None, *range(1, ROWS)]),
        {"time": "t"},
        "must have a value in every row, to sort by it",
    ),
    "two groups": (table(g=["a", "b"] * 30), {"group_by": "g"}, "at least 3 groups to divide, got 2"),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_tables_are_refused_in_a_line(problem: str, tmp_path: Path):
    content, keys, message = BAD[problem]
    with pytest.raises(DataError) as caught:
        prepare(section(written(tmp_path, content), **keys), tmp_path / "data", lambda fact: None)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("t.xls", "must be one of .csv, .tsv, .parquet"), ("t.parquet", "cannot be read as a table")],
)
def test_other_files_are_refused(name: str, message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message):
        build_reader(section(written(tmp_path, b"nothing", name))).read(print)


def test_a_test_set_of_its_own_must_have_the_columns_and_the_classes(tmp_path: Path):
    path = written(tmp_path, GOOD)
    for rows, message in (
        (table().drop(columns="colour"), "must have the columns of .*t.csv, but 'colour' is not there"),
        (table(y="maybe"), "classes must be among no, yes"),
    ):
        test_path = written(tmp_path, rows, "test.csv")
        with pytest.raises(DataError, match=message):
            build_reader(section(path, test_path=test_path)).read(print)
