"""Tables of image files and labels, as Kaggle, AutoGluon and others have them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellwright.data import Source
from cellwright.data.prepared import PreparedData
from cellwright.data.reading import build_reader, source_digest, suggest_data
from cellwright.errors import DataError
from cellwright.spec import SOURCES
from cellwright.tasks.images.sources.csv import CsvSection
from cellwright.tasks.preparing import prepare

NUM = 16


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(NUM):
        Image.new("RGB", (9, 8), (number, 0, 0)).save(folder / f"{number}.png")
    return folder


def label(number: int) -> str:
    return "cat" if number % 2 else "dog"


def write(path: Path, form: str, header: str, start: int = 0) -> Path:
    """Write a table with a row of the form for each image."""
    rows = [form.format(number=number, label=label(number)) for number in range(start, NUM)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def labels_of(section: CsvSection, folder: Path) -> dict[int, str]:
    """Return the label of each image, which its red tells."""
    prepare(section, folder, lambda fact: None)
    data = PreparedData.open(folder)
    names = data.manifest.task["class_names"]
    return {
        int(image[0, 0, 0]): names[target]
        for split in (data.train, data.validation, data.test)
        for image, target in zip(split.inputs[0], split.targets.tolist(), strict=True)
    }


@pytest.mark.parametrize(
    ("name", "header", "form", "keys"),
    [
        ("labels.csv", "image,label", "photos/{number}.png,{label}", {}),
        ("labels.tsv", "image\tlabel", "photos/{number}.png\t{label}", {}),
        ("labels.csv", "image;label", "photos/{number}.png; {label}", {"delimiter": ";"}),
        ("labels.csv", "image,label", "{number}.png,{label}", {}),
        ("labels.csv", "image,label", "photos\\{number}.png,{label}", {}),
        ("labels.csv", ",file,Label,split", "0,photos/{number}.png,{label},train", {}),
        ("labels.csv", "id,breed", "{number},{label}", {"folder": "photos", "suffix": ".png"}),
        (
            "labels.csv",
            "width,label,source,file",
            "9,{label},x,./{number}.png",
            {"folder": "photos", "file_column": "file", "label_column": "label"},
        ),
        (
            "labels.csv",
            "\ufefffile,label",
            "photos/../photos/{number}.png,{label}\n",
            {"file_column": "file"},
        ),
    ],
)
def test_rows_are_files_and_labels(tmp_path: Path, photos: Path, name, header, form, keys):
    if folder := keys.get("folder"):
        keys = {**keys, "folder": tmp_path / "elsewhere" / ".." / folder}
        (tmp_path / "elsewhere").mkdir()
    section = CsvSection(source="csv", path=write(tmp_path / name, form, header), **keys)
    assert labels_of(section, tmp_path / "data") == {number: label(number) for number in range(NUM)}


def test_which_of_several_folders_is_not_guessed(tmp_path: Path, photos: Path):
    table = write(tmp_path / "labels.csv", "{number}.png,{label}", "file,label")
    shutil.copytree(photos, tmp_path / "copy")
    with pytest.raises(
        DataError, match=f"^{tmp_path}: 16 of the 16 files that labels.csv lists are not there: 0.png"
    ):
        build_reader(CsvSection(source="csv", path=table)).check("path", table)


def test_names_may_be_absolute(tmp_path: Path, photos: Path):
    table = write(tmp_path / "labels.csv", f"{photos}/{{number}}.png,{{label}}", "file,label")
    assert len(labels_of(CsvSection(source="csv", path=table), tmp_path / "data")) == NUM


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("photos/0.png,", "line 2 has no label"),
        (",dog", "line 2 has no file"),
        ("photos/0.png", "line 2 has no label"),
        ("../secret.png,dog", "line 2: ../secret.png is not below "),
        ("/etc/passwd,dog", "line 2: /etc/passwd is not below "),
        ("photos/1.png,dog", "1 of 16 rows cannot be used: line 3: photos/1.png is listed a second time"),
        (
            "photos/x.png,dog",
            r"1 of the 16 files that labels.csv lists are not there: photos/x.png; set data.folder",
        ),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, photos: Path, row: str, rule: str):
    table = write(tmp_path / "labels.csv", "photos/{number}.png,{label}", "file,label")
    lines = table.read_text().split("\n")
    table.write_text("\n".join([lines[0], row, *lines[2:]]))
    with pytest.raises(DataError, match=rule):
        build_reader(CsvSection(source="csv", path=table)).check("path", table)


@pytest.mark.parametrize(
    ("content", "keys", "rule"),
    [
        ("", {}, "must begin with the names of columns"),
        ("file;label\n0;1\n", {}, r"separated by ',' \(data.delimiter\), got 'file;label'"),
        ("file,label\n", {}, "must have rows"),
        (
            "file,healthy,rust,scab\na.png,1,0,0\n",
            {},
            "data.label_column must name .* one of healthy, rust, scab",
        ),
        ("photos/0.png,dog\nphotos/1.png,cat\n", {}, "begins with 'photos/0.png'"),
        (
            "file,label\n",
            {"label_column": "breed"},
            "data.label_column must be one of its columns, file, label, got",
        ),
        ("width,height\n1,2\n3,4\n", {}, "a table whose rows are the examples is data.source: table"),
        ("text,mood\n" + 300 * "x" + ",good\n", {}, "1 of the 1 files that labels.csv lists are not there"),
        (b"file,label\n\xe9.png,dog\n", {}, "cannot be read as a table"),
    ],
)
def test_tables_that_cannot_be_used_are_reported(tmp_path: Path, photos: Path, content, keys, rule: str):
    table = tmp_path / "labels.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=rule):
        build_reader(CsvSection(source="csv", path=table, **keys)).check("path", table)


@pytest.mark.parametrize("keys", [{}, {"folder": True}])
def test_the_digest_is_of_what_is_listed(tmp_path: Path, photos: Path, keys: dict):
    keys = {"folder": photos.parent} if keys else {}
    table = write(tmp_path / "labels.csv", "photos/{number}.png,{label}", "file,label", start=1)
    section = CsvSection(source="csv", path=table, **keys)
    before = source_digest(section)
    (photos / "0.png").unlink()
    assert source_digest(section) == before
    Image.new("RGB", (9, 8), (77, 0, 0)).save(photos / "1.png")
    assert source_digest(section) != before


def test_a_table_elsewhere_needs_a_folder():
    with pytest.raises(ValueError, match="folder must be given where a table is in S3"):
        CsvSection(source="csv", path="s3://bucket/labels.csv")
    section = CsvSection(source="csv", path="s3://bucket/labels.csv", folder="s3://bucket/photos")
    assert build_reader(section).names("s3://bucket/photos", ["1.png", "more/"]) == ["1.png"]


def test_a_spec_is_written_for_a_table_of_images_alone(tmp_path: Path, photos: Path):
    sections = {kind: SOURCES.section_type(kind) for kind in SOURCES.kinds}
    table = write(tmp_path / "labels.csv", "photos/{number}.png,{label}", "file,label")
    kind, suggestion = suggest_data(table, sections)
    assert (kind, suggestion.num_examples, suggestion.shape) == ("csv", NUM, (3, 8, 9))
    table.write_text("width,height\n1,2\n")
    assert suggest_data(table, sections)[0] == "table"


def images(folder: Path, values: list[str], name: str = "labels.csv") -> Path:
    """Write a table of as many images, each with a value, beside them."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for index, pixels in enumerate(rng.integers(0, 256, (len(values), 9, 8), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / f"{index}.png")
    (folder / name).write_text("\n".join(["file,y", *(f"{i}.png,{value}" for i, value in enumerate(values))]))
    return folder / name


def read(path: Path, predict: str, **keys: object) -> Source:
    section = SOURCES.validate({"source": "csv", "path": path, "predict": predict, **keys})
    return build_reader(section).read(lambda fact: None)


def test_each_image_has_its_number_or_labels(tmp_path: Path):
    numbers = [str(i % 4 / 2) for i in range(12)]
    found = read(images(tmp_path / "a", numbers), "number")
    of_files = dict(zip(found.examples.files, found.examples.targets.tolist(), strict=True))
    assert of_files == {f"{i}.png": float(number) for i, number in enumerate(numbers)}
    labels = [("", "cat", "dog", "cat|dog")[i % 4] for i in range(12)]
    found = read(images(tmp_path / "b", labels), "labels")
    assert found.facts["label_names"] == ("cat", "dog")
    of_files = dict(zip(found.examples.files, found.examples.targets.tolist(), strict=True))
    assert of_files == {f"{i}.png": [i % 2, i % 4 // 2] for i in range(12)}


@pytest.mark.parametrize("value", ["old", "nan", "1e39", ""])
def test_what_is_no_number_is_refused_with_its_line(value: str, tmp_path: Path):
    path = images(tmp_path, ["1", value, "2.5"])
    with pytest.raises(DataError, match=r"1 of 3 rows cannot be used: line 3"):
        read(path, "number")


def test_the_test_set_of_images_may_have_other_numbers_and_no_other_labels(tmp_path: Path):
    own, other = images(tmp_path / "a", ["1", "2", "3"]), images(tmp_path / "b", ["4", "5"])
    source = read(own, "number", test_path=other)
    assert source.test is not None and source.test.targets.tolist() == [4, 5]
    own = images(tmp_path / "c", ["cat|dog", "cat", "dog", "", "cat", "dog"])
    other = images(tmp_path / "d", ["dog|bird"])
    with pytest.raises(DataError, match="labels must be among cat, dog, got 'bird'"):
        read(own, "labels", test_path=other)
