"""Several labels for each example: how they are read, divided among the splits, scored and answered."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import average_precision_score

from cellwright.data import Examples, Source
from cellwright.data.prepared import PreparedData
from cellwright.data.reading import suggest_data
from cellwright.data.splitting import split
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.serving.model import Answers
from cellwright.spec import SOURCES
from cellwright.steps.gate import _paired
from cellwright.tasks.base import read_task
from cellwright.tasks.classical import ClassicalModel
from cellwright.tasks.facts import LABEL_NAMES
from cellwright.tasks.multi_label import RankedLabels
from cellwright.tasks.preparing import prepare
from cellwright.tasks.text.task import TextMultiLabel

NAMES = ("comedy", "drama", "war")
TASK = TextMultiLabel(
    map_shape=(32, 1, 4),
    label_names=NAMES,
    label_shares=(0.5, 0.25, 0.1),
    column="text",
    most_bytes=8,
    known="01" * 4,
)


def random_labels(count: int, *shares: float) -> np.ndarray:
    return (np.random.default_rng(0).random((count, len(shares))) < shares).astype(np.uint8)


def scored(count: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits, many of which are equal, and targets."""
    rng = np.random.default_rng(1)
    targets = random_labels(count, 0.5, 0.3, 0.1)
    return torch.tensor(rng.integers(-4, 4, targets.shape) + targets).float(), torch.tensor(targets)


def test_average_precision_is_that_of_sklearn_also_where_scores_are_equal():
    outputs, targets = scored()
    expected = average_precision_score(targets, outputs, average="macro")
    assert TASK.score(outputs, targets) == pytest.approx(expected, abs=1e-9)
    assert TASK.scores(outputs, targets)["average_precision"].value == pytest.approx(expected, abs=1e-9)


def test_examples_that_repeat_count_as_often():
    outputs, targets = scored()
    rows = np.random.default_rng(2).integers(len(targets), size=len(targets))
    repeated = TASK.score(outputs[rows], targets[rows])
    assert TASK.scorer(outputs, targets)(rows) == pytest.approx(repeated, abs=1e-9)


def test_a_label_that_no_example_has_counts_nothing():
    outputs, targets = scored()
    targets[:, 2] = 0
    expected = RankedLabels(outputs, targets).precisions()[:2].mean()
    assert TASK.score(outputs, targets) == pytest.approx(float(expected))
    assert TASK.score(outputs, torch.zeros_like(targets)) == 0


def test_models_are_compared_on_the_same_examples():
    outputs, targets = scored()
    worse = outputs + 6 * torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0))
    compared = _paired(TASK, outputs, worse, targets, 0.05)
    assert compared.test == "bootstrap" and compared.p_value < 0.05
    assert compared.difference == pytest.approx(TASK.score(outputs, targets) - TASK.score(worse, targets))
    assert _paired(TASK, outputs, outputs, targets, 0.05).p_value == 1


def test_rare_labels_are_divided_among_the_splits():
    targets = random_labels(300, 0.6, 0.4, 0.02)
    examples = Examples(origin="a", inputs={"x": np.arange(300)}, targets=targets)
    source = Source(examples=examples, facts={LABEL_NAMES: NAMES})
    parts = split(source, SOURCES.validate({"source": "digits"}), TextMultiLabel.strata(source))
    shares = {name: part.targets.mean(axis=0) for name, part in parts.items()}
    for share in shares.values():
        np.testing.assert_allclose(share, targets.mean(axis=0), atol=0.08)
        assert share.min() > 0
    TextMultiLabel.check_splits(source, parts)


def test_networks_start_from_the_share_of_each_label():
    bias = TASK.head(5).bias.sigmoid().tolist()
    assert bias == pytest.approx(TASK.label_shares, rel=1e-4)


def test_members_are_combined_by_their_mean_probabilities():
    outputs = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(TASK.combine(outputs).sigmoid(), outputs.sigmoid().mean(dim=1))


def test_answers_are_the_same_in_files_and_over_http():
    outputs = torch.tensor([[1.0, 2.0, -3.0], [-1.0, -1.0, -1.0]])
    first, second = map(TASK.answer, outputs)
    assert first["labels"] == ["comedy", "drama"] and second["labels"] == []
    assert first["probabilities"]["war"] == pytest.approx(0.0474, abs=1e-3)
    served = Answers(outputs.numpy(), None, NAMES)
    assert served.labels() == TASK.predictions(outputs) == ["comedy|drama", ""]
    np.testing.assert_allclose(served.probabilities(), outputs.sigmoid(), rtol=1e-5)


def write(folder: Path, rows: list[dict[str, Any]], suffix: str = ".csv") -> Path:
    path = folder / f"a{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pd.DataFrame(rows).to_csv(path, index=False)
    return path


def movies(count: int = 60) -> list[dict[str, Any]]:
    """Return rows whose labels follow from their numbers, which some lack."""
    names = [(("comedy", "drama")[i % 2],) * (i % 5 < 3) + ("war",) * (i % 3 == 0) for i in range(count)]
    return [
        {"text": " ".join(["film", str(i % 7), *labels]), "x": i * 7 % 41, "genres": "|".join(labels)}
        for i, labels in enumerate(names)
    ]


def prepared(section: dict[str, Any], folder: Path) -> PreparedData:
    prepare(SOURCES.validate({"predict": "labels", **section}), folder, lambda fact: None)
    return PreparedData.open(folder)


def as_columns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    flags = [{name: int(name in row["genres"].split("|")) for name in NAMES} for row in rows]
    return [{"text": row["text"], "x": row["x"], **flag} for row, flag in zip(rows, flags, strict=True)]


@pytest.mark.parametrize("source", ["text", "table"])
def test_all_forms_of_labels_are_the_same(source: str, tmp_path: Path):
    forms = [
        write(tmp_path, movies()).rename(tmp_path / "texts.csv"),
        write(tmp_path, as_columns(movies())).rename(tmp_path / "columns.csv"),
    ]
    sections = [{"target": "genres"}, {"target": list(NAMES)}]
    if source == "text":
        rows = [{**row, "genres": row["genres"].split("|") if row["genres"] else []} for row in movies()]
        forms.append(write(tmp_path, rows, ".jsonl"))
        sections.append({"target": "genres"})
    found = [
        prepared({"source": source, "path": form, **section}, tmp_path / str(index))
        for index, (form, section) in enumerate(zip(forms, sections, strict=True))
    ]
    assert read_task(found[0].manifest.task).label_names == NAMES
    assert len({data.manifest.content_hash for data in found}) == 1
    assert sum(len(part) for part in (found[0].train, found[0].validation, found[0].test)) == 60


@pytest.mark.parametrize("name", ["boosted-trees", "linear"])
def test_classical_models_of_tables_learn_all_labels(name: str, tmp_path: Path):
    rows = [{**row, "x": len(row["genres"])} for row in as_columns_and_genres(240)]
    data = prepared(
        {"source": "table", "path": write(tmp_path, rows), "target": list(NAMES)}, tmp_path / "data"
    )
    task = read_task(data.manifest.task)
    (tmp_path / "fitted").mkdir()
    ClassicalModel.fit(name, task, data.train, tmp_path / "fitted", seed=0)
    outputs = ClassicalModel.load(tmp_path / "fitted", task).predict(data.test.inputs)
    assert outputs.shape == data.test.targets.shape
    assert task.score(outputs, data.test.targets) > 0.8


def as_columns_and_genres(count: int) -> list[dict[str, Any]]:
    rows = movies(count)
    return [
        {**flags, "genres": row["genres"] or "none"}
        for row, flags in zip(rows, as_columns(rows), strict=True)
    ]


def test_a_column_that_gives_one_label_away_is_named(tmp_path: Path):
    rows = [{**row, "x": i % 3} for i, row in enumerate(movies(200))]
    path = write(tmp_path, rows)
    said: list[str] = []
    section = {"source": "table", "path": path, "target": "genres", "predict": "labels"}
    prepare(SOURCES.validate(section), tmp_path / "data", said.append)
    assert any(line.startswith("leak? column x alone predicts") for line in said)


def test_model_information_names_the_labels():
    info = TASK.model_info({"text": _form()}, Genotype(space="none", cells={}))
    assert info.label_names == NAMES and info.class_names is None


def _form() -> Any:
    from cellwright.data.manifest import ArrayForm

    return ArrayForm(shape=(8,), dtype="uint8")


def test_label_sets_are_suggested_only_where_they_are_obvious(tmp_path: Path):
    for rows, predict in (
        (movies(), "labels"),
        ([{"x": i * 7 % 11, "y": f"a|{i % 3}"} for i in range(30)], "class"),
        ([{"x": i, "y": "ab"[i % 2]} for i in range(30)], "class"),
    ):
        _, suggested = suggest_data(write(tmp_path, rows), {"table": SOURCES.section_type("table")})
        assert suggested.keys["predict"] == predict
    lists = [{"tags": ["a", "b" * 90][: 1 + i % 2], "title": f"t{i}"} for i in range(30)]
    lists = [{"title": row["title"], "tags": row["tags"]} for row in lists]
    _, suggested = suggest_data(write(tmp_path, lists, ".jsonl"), {"text": SOURCES.section_type("text")})
    assert suggested.keys | {"text": "title", "target": "tags", "predict": "labels"} == suggested.keys


BAD: list[tuple[str, dict[str, Any], str]] = [
    (
        "comma",
        {"target": "genres", "separator": ","},
        r"must have two labels separated by ',' \(data.separator\)",
    ),
    (
        "rare",
        {"target": "genres"},
        r"at least 5 examples with the label 'noir' \(data.min_class_examples\), got 2",
    ),
    (
        "all",
        {"target": "genres"},
        r"at least 5 examples without the label 'film' \(data.min_class_examples\), got 0",
    ),
    ("many", {"target": "genres"}, "63 different labels in 60 examples are too many"),
    ("empty", {"target": "genres"}, "there must be labels, and no example has any"),
    ("flags", {"target": ["x", "war"]}, "column 'x' must be 0 or 1, since it is a label, got '7' in row 2"),
    ("absent", {"target": ["comedy", "noir"]}, "data.target must be one of its columns"),
    ("test", {"target": "genres"}, "labels must be among comedy, drama, war, got 'noir'"),
]


@pytest.mark.parametrize(("what", "keys", "message"), BAD, ids=[what for what, *_ in BAD])
def test_unusable_labels_are_refused_in_a_line(what: str, keys: dict[str, Any], message: str, tmp_path: Path):
    rows = movies()
    for i, row in enumerate(rows):
        more = {"rare": "noir" * (i < 2), "all": "film", "many": f"n{i}", "empty": ""}.get(what, "")
        row["genres"] = more if what == "empty" else "|".join(filter(None, (row["genres"], more)))
    rows = as_columns(movies()) if what in ("flags", "absent") else rows
    section = {"source": "table", "path": write(tmp_path, rows), **keys}
    if what == "test":
        (tmp_path / "own").mkdir()
        section["test_path"] = write(tmp_path / "own", [{**movies()[0], "genres": "war|noir"}])
    with pytest.raises(DataError, match=message) as raised:
        prepared(section, tmp_path / "data")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [{"a": 1}, [["war"]], [None]])
def test_what_is_no_list_of_labels_is_refused(value: Any, tmp_path: Path):
    path = write(tmp_path, [{**row, "genres": value} for row in movies()], ".jsonl")
    with pytest.raises(DataError, match="labels must be a"):
        prepared({"source": "text", "path": path, "target": "genres"}, tmp_path / "data")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"target": ["a", "b"]}, "target must be one column where predict is class, got a, b"),
        (
            {"target": "a", "predict": "labels", "class_weights": "balanced"},
            "class_weights must be none where predict is labels",
        ),
        ({"target": "a", "predict": "labels", "separator": ", "}, "separator"),
        ({"target": ["a"], "predict": "labels"}, "target"),
    ],
)
def test_keys_that_exclude_each_other_are_refused(keys: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises(ValidationError, match=message):
        SOURCES.validate({"source": "text", "path": tmp_path, **keys})


def test_a_split_without_a_label_is_refused(tmp_path: Path):
    rows = [
        {**row, "part": "test" if i < 12 else ("train", "validation")[i // 2 % 2]}
        for i, row in enumerate(movies())
    ]
    for row in rows[:12]:
        row["genres"] = row["genres"].replace("war", "").strip("|")
    section = {"source": "table", "path": write(tmp_path, rows), "target": "genres", "split": "part"}
    with pytest.raises(DataError, match="but test has none with 'war'"):
        prepared(section, tmp_path / "data")
