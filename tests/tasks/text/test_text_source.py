import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cellwright.data.prepared import PreparedData
from cellwright.data.reading import build_reader
from cellwright.errors import DataError
from cellwright.spec import SOURCES
from cellwright.tasks.preparing import prepare
from cellwright.tasks.text.sources.text import as_bytes, as_texts

WORDS = ("red", "grün", "藍色", "blue's", "42")
TEXTS = [" ".join([*WORDS[i % 5 : 1 + i % 7], str(i)]) for i in range(40)]
LABELS = ["a", "b"] * 20


def section(path: Path, **keys: Any) -> Any:
    return SOURCES.validate({"source": "text", "path": path} | keys)


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def jsonl(texts: list[Any] = TEXTS, labels: list[Any] = LABELS, **more: list[Any]) -> str:
    columns = {"text": texts, "label": labels, **more}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(map(json.dumps, rows))


def read(path: Path, **keys: Any) -> Any:
    return build_reader(section(path, **keys)).read(lambda fact: None)


def test_all_forms_hold_the_same(tmp_path: Path):
    table = pd.DataFrame({"text": TEXTS, "label": LABELS})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    table.to_parquet(tmp_path / "t.parquet")
    written(tmp_path, jsonl(), "t.jsonl")
    for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        written(tmp_path / "folder" / label, text, f"deep/{number:02}.txt")
    first = read(tmp_path / "t.csv").examples
    assert as_texts(first.inputs["text"]) == TEXTS
    assert first.inputs["text"].dtype == np.uint8
    for name in ("t.tsv", "t.parquet", "t.jsonl"):
        other = read(tmp_path / name).examples
        assert other.inputs["text"].tobytes() == first.inputs["text"].tobytes()
        assert other.targets.tolist() == first.targets.tolist()
    of_folder = read(tmp_path / "folder").examples
    assert as_texts(of_folder.inputs["text"]) == TEXTS[::2] + TEXTS[1::2]
    assert of_folder.targets.tolist() == [0] * 20 + [1] * 20


def test_longer_texts_are_cut_between_characters():
    assert as_texts(as_bytes(["abcdefgh", "abcdef藍", "abcde藍z", ""], 8)) == [
        "abcdefgh",
        "abcdef",
        "abcde藍",
        "",
    ]


def test_missing_empty_and_too_long_texts_are_reported(tmp_path: Path):
    said: list[str] = []
    texts, labels = [*TEXTS, None, " ", "x" * 99, "lost"], [*LABELS, "a", "b", "a", None]
    path = written(tmp_path, jsonl(texts, labels), "t.jsonl")
    source = build_reader(section(path, max_bytes=64)).read(said.append)
    assert len(source.examples) == 43 and source.examples.inputs["text"].shape[1] == 64
    assert said == [
        "1 texts without label are left out",
        "2 texts are empty",
        "the longest text has 99 bytes; of each the first 64 are read (data.max_bytes)",
    ]


def test_groups_are_never_in_two_splits(tmp_path: Path):
    path = written(tmp_path, jsonl(who=[f"w{i % 9}" for i in range(40)]), "t.jsonl")
    prepare(section(path, group_by="who"), tmp_path / "data", lambda fact: None)
    data = PreparedData.open(tmp_path / "data")
    numbers = [
        {int(text.split()[-1]) % 9 for text in as_texts(part.inputs[0].numpy())}
        for part in (data.train, data.validation, data.test)
    ]
    assert all(numbers) and sum(map(len, numbers)) == len(set.union(*numbers)) == 9


CSV = "text,label\n" + "".join(f"{text},{label}\n" for text, label in zip(TEXTS, LABELS, strict=True))
BAD: Mapping[str, tuple[str, str | bytes, Mapping[str, Any], str]] = {
    "empty": ("t.csv", "", {}, "t.csv: is empty"),
    "header alone": ("t.csv", "text,label\n", {}, "must have rows, and has none"),
    "not utf-8": ("t.csv", b"text,label\n\xff\xfe,a\n", {}, "must be text in UTF-8, got the byte 0xff"),
    "several labels": (
        "t.jsonl",
        '{"text": "a", "label": ["x", "y"]}\n' * 9,
        {},
        "a target must be one text or number, got ['x', 'y']",
    ),
    "a json file": ("t.json", "[]", {}, "write a line for each example, as .jsonl has it"),
    "another separator": ("t.csv", "text;label\na, b;c\n", {}, "is it separated by ';'?"),
    "ragged": ("t.csv", "text,label\na,b\na,b,c,d,e\n", {}, "cannot be read as a table"),
    "no text": (
        "t.csv",
        CSV,
        {"text": "body"},
        "data.text must be one of its columns, text, label, got 'body'",
    ),
    "no target": (
        "t.csv",
        CSV,
        {"target": "y"},
        "data.target must be one of its columns, text, label, got 'y'",
    ),
    "no group": ("t.csv", CSV, {"group_by": "z"}, "data.group_by must be one of its columns"),
    "text is target": ("t.csv", CSV, {"target": "text"}, "data.text and data.target must differ, got 'text'"),
    "no target values": ("t.csv", "text,label\n" + "a,\n" * 9, {}, "'label' must have values, and has none"),
    "all empty": ("t.csv", "text,label\n" + ",a\n,b\n" * 9, {}, "there must be a text that is not empty"),
    "one class": ("t.csv", "text,label\n" + "x,a\n" * 9, {}, "at least two classes"),
    "rare class": ("t.csv", "text,label\n" + "x,a\n" * 9 + "y,b\n", {}, "class 'b' must have at least"),
    "many classes": (
        "t.csv",
        "text,label\n" + "".join(f"x,{n}\n" for n in range(30)),
        {},
        "30 different values of 'label' in 30 texts are too many for classes: set data.predict: number",
    ),
    "text for number": (
        "t.csv",
        CSV,
        {"predict": "number"},
        "column 'label' must be a finite number, got 'a' in row 1",
    ),
    "same numbers": ("t.csv", "text,label\n" + "x,1\n" * 9, {"predict": "number"}, "targets must differ"),
    "log of zero": (
        "t.csv",
        "text,label\n" + "x,0\ny,1\n" * 9,
        {"predict": "number", "log": True},
        "must be above 0 for their logarithm",
    ),
    "broken json": ("t.jsonl", '{"text": "a", "label": "b"}\n{"text": \n', {}, "line 2: must be JSON"),
    "deep json": ("t.jsonl", "[" * 100_000, {}, "line 1: must be JSON"),
    "no object": ("t.jsonl", '["a", "b"]\n', {}, "line 1: must be an object such as"),
    "no lines": ("t.jsonl", "\n\n", {}, "must have rows, and has none"),
    "number for text": ("t.jsonl", jsonl([1] * 40), {}, "'text' must be text, got 1 in row 1"),
    "half a character": ("t.jsonl", jsonl(["\ud800"] * 40), {}, "'text' must be valid Unicode in row 1"),
    "jsonl not utf-8": ("t.jsonl", b"\xff", {}, "must be text in UTF-8"),
    "other file": (
        "t.docx",
        "x",
        {},
        "must be one of .csv, .tsv, .parquet, .jsonl, or a folder with a folder of .txt",
    ),
    "broken parquet": ("t.parquet", "x", {}, "cannot be read as a table"),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_texts_are_refused_in_a_line(problem: str, tmp_path: Path):
    name, content, keys, message = BAD[problem]
    with pytest.raises(DataError) as caught:
        prepare(section(written(tmp_path, content, name), **keys), tmp_path / "data", lambda fact: None)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("files", "keys", "message"),
    [
        ({}, {}, "must hold a folder per class with .txt files, but holds none"),
        ({"a/1.txt": b"x", "b/1.md": b"x"}, {}, "every class must have .txt files, and 'b' has none"),
        ({"a/1.txt": b"x", "b/1.txt": b"\xff"}, {}, "1.txt: must be text in UTF-8"),
        (
            {"aclImdb/neg/1.txt": b"x", "aclImdb/pos/1.txt": b"y"},
            {},
            "holds only aclImdb, in which there are 2",
        ),
        ({"train/1.txt": b"x", "test/1.txt": b"x"}, {}, "are parts of a split: set data.path"),
        ({"a/1.txt": b"x", "b/1.txt": b"y"}, {"predict": "number"}, "are for files, not for a folder"),
    ],
)
def test_bad_folders_are_refused_in_a_line(
    files: Mapping[str, bytes], keys: Mapping[str, Any], message: str, tmp_path: Path
):
    (tmp_path / "folder").mkdir()
    for name, content in files.items():
        written(tmp_path / "folder", content, name)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "folder", **keys)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_test_set_of_its_own_must_have_the_classes(tmp_path: Path):
    path, test_path = written(tmp_path, CSV), written(tmp_path, "text,label\nx,c\n", "test.csv")
    with pytest.raises(DataError, match=r"test.csv: classes must be among a, b, got 'c'"):
        read(path, test_path=test_path)
