"""Parquet files of images, as Hugging Face has them."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cellwright.data.prepared import PreparedData
from cellwright.data.reading import suggest_data
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.spec import SOURCES
from cellwright.tasks.base import read_task
from cellwright.tasks.images.sources.parquet import ParquetSection
from cellwright.tasks.preparing import prepare

NUM = 16
NAMES = {"info": {"features": {"label": {"names": ["dog", "cat", "yeti"], "_type": "ClassLabel"}}}}
STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def png(red: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (9, 8), (red, 0, 0)).save(file, "PNG")
    return file.getvalue()


def write(path: Path, *, start: int = 0, names: Any = NAMES, **columns: Any) -> Path:
    """Write a data set of red images, whose odd ones are cats."""
    reds = range(start, start + NUM)
    images = pa.array([{"bytes": png(red), "path": f"{red}.png"} for red in reds], STRUCT)
    table = pa.table({"image": images, "label": [red % 2 for red in reds], **columns})
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(names)}), path, row_group_size=5)
    return path


def section(path: Path, **keys: Any) -> ParquetSection:
    return ParquetSection(source="parquet", path=path, **keys)


def prepared(given: ParquetSection, folder: Path) -> tuple[PreparedData, list[str]]:
    lines: list[str] = []
    prepare(given, folder, lines.append)
    return PreparedData.open(folder), lines


def labels(data: PreparedData, *parts: str) -> dict[int, str]:
    """Return the label of each image, which its red tells."""
    return {
        int(image[0, 0, 0]): data.manifest.task["class_names"][target]
        for part in parts or ("train", "validation", "test")
        for image, target in zip(
            getattr(data, part).inputs[0], getattr(data, part).targets.tolist(), strict=True
        )
    }


def expected(*starts: int) -> dict[int, str]:
    return {red: ("dog", "cat")[red % 2] for start in starts for red in range(start, start + NUM)}


def test_classes_have_the_names_of_the_metadata(tmp_path: Path):
    data, _ = prepared(section(write(tmp_path / "all.parquet")), tmp_path / "data")
    assert labels(data) == expected(0)
    assert data.manifest.task["class_names"] == ["dog", "cat"]


def test_columns_have_any_names_and_types(tmp_path: Path):
    reds = range(NUM)
    columns = {
        "id": list(reds),
        "picture": [png(red) for red in reds],
        "animal": pa.array([("dog", "cat")[red % 2] for red in reds]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), tmp_path / "all.parquet")
    with pytest.raises(DataError, match="data.label_column must name the column of labels, one of id, pict"):
        prepared(section(tmp_path / "all.parquet"), tmp_path / "none")
    data, _ = prepared(section(tmp_path / "all.parquet", label_column="animal"), tmp_path / "data")
    assert labels(data) == expected(0)


def test_files_of_a_folder_are_sets_by_their_names(tmp_path: Path):
    folder = tmp_path / "beans"
    write(folder / "train-00000-of-00002.parquet")
    write(folder / "train-00001-of-00002.parquet", start=50)
    write(folder / "test-00000-of-00001.parquet", start=100)
    data, lines = prepared(section(folder), tmp_path / "data")
    assert labels(data, "train", "validation") == expected(0, 50)
    assert labels(data, "test") == expected(100)
    assert f"{folder}: the test set is test-00000-of-00001.parquet" in lines
    write(folder / "validation-00000-of-00001.parquet", start=150)
    data, _ = prepared(section(folder), tmp_path / "three")
    assert labels(data, "validation") == expected(150) and labels(data, "train") == expected(0, 50)


def test_a_set_may_be_elsewhere(tmp_path: Path):
    given = section(
        write(tmp_path / "a.parquet"), test_path=write(tmp_path / "other" / "b.parquet", start=60)
    )
    data, _ = prepared(given, tmp_path / "data")
    assert labels(data, "test") == expected(60)


def test_a_spec_is_written_for_it(tmp_path: Path):
    write(tmp_path / "beans" / "train-0.parquet")
    kinds = {kind: SOURCES.section_type(kind) for kind in SOURCES.kinds}
    found = suggest_data(tmp_path / "beans", kinds)
    assert found is not None and found[0] == "parquet"
    assert found[1].num_examples == NUM and found[1].shape == (3, 8, 9)
    pq.write_table(pa.table({"a": [1, 2] * NUM, "label": ["x", "y"] * NUM}), tmp_path / "numbers.parquet")
    found = suggest_data(tmp_path / "numbers.parquet", kinds)
    assert found is not None and found[0] == "table"


@pytest.mark.parametrize(
    ("columns", "keys", "message"),
    [
        (
            {},
            {"image_column": "photo"},
            "data.image_column must be one of its columns, image, label, got 'ph",
        ),
        ({}, {"image_column": "label"}, r"must have a column of encoded images .* got image struct<"),
        (
            {"image": ["a"] * NUM},
            {},
            "must have a column of encoded images .*, got image string, label int64",
        ),
        ({"label": [0, 1, None, 1] * 4}, {}, "each row must have a label, but all.parquet row 2 has none"),
        ({"label": [0, 1, -1, 1] * 4}, {}, "labels must be from 0 to 2, as 3 names are in the files, got -1"),
        ({"label": [0.5, 1.0] * 8}, {}, "labels must be whole numbers, got 0.5 at index 0"),
        (
            {"image": [png(1), b"cut"] * 8},
            {},
            "8 of 16 images cannot be used: all.parquet row 1: is not a read",
        ),
        ({"image": [png(1), None] * 8}, {}, "all.parquet row 1: is not a readable .*: it is empty"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, columns: Any, keys: Any, message: str):
    path = write(tmp_path / "all.parquet", **columns)
    with pytest.raises(DataError, match=f"^{path}: {message}|^{path}: .*{message}"):
        prepared(section(path, **keys), tmp_path / "data")


def test_a_cut_file_is_named(tmp_path: Path):
    path = write(tmp_path / "all.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=f"^{path}: cannot be read as parquet"):
        prepared(section(path), tmp_path / "data")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: must have a .parquet file, and has none"):
        prepared(section(tmp_path / "empty"), tmp_path / "data")


def test_files_to_predict_need_no_labels_and_one_column_of_images(tmp_path: Path):
    data, _ = prepared(section(write(tmp_path / "all.parquet")), tmp_path / "data")
    task = read_task(data.manifest.task)
    info = task.model_info(data.manifest.inputs, Genotype(space="none", cells={}))
    file = write(tmp_path / "new.parquet", image=[png(1), b"cut"] * 8)
    pq.write_table(pq.read_table(file).drop(["label"]), file)
    (name, (pixels,)), (other, problem), *_ = task.examples_in(file, info)
    assert (name, other) == (f"{file}[0]", f"{file}[1]")
    assert pixels.shape == (1, *task.map_shape) and problem.startswith("is not a readable PNG")
    write(file, thumbnail=[png(1)] * 16)
    with pytest.raises(DataError, match="to predict from, got image, thumbnail"):
        list(task.examples_in(file, info))
