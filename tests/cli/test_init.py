"""`cellwright init`: data is looked at, and a spec is written that is valid."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellwright.spec import load_spec

EXAMPLES = Path(__file__).parents[2] / "examples"


def photos(folder: Path, *, sizes=((16, 16),), mode="RGB", classes=("blue", "red shoes")) -> Path:
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(4):
            Image.new(mode, sizes[number % len(sizes)]).save(folder / name / f"{number}.png")
    return folder


def written(cellwright, data: Path) -> tuple:
    done = cellwright("init", data, "-o", "new.yaml")
    assert done.exit_code == 0, done.output
    return load_spec(Path("new.yaml")), Path("new.yaml").read_text()


def test_small_images_of_one_size_stay_as_they_are(cellwright, tmp_path: Path):
    spec, text = written(cellwright, photos(tmp_path / "My Photos"))
    assert (spec.name, spec.data.source, spec.data.path) == ("my-photos", "images", tmp_path / "My Photos")
    assert (spec.data.resize, spec.data.channels, spec.strategy.kind) == (None, "rgb", "race")
    assert "# 8 images of 2 classes, 4 of each; all of those looked at are 16×16" in text


def test_large_and_mixed_ones_get_a_size_of_their_shape(cellwright, tmp_path: Path):
    spec, _ = written(cellwright, photos(tmp_path / "x", sizes=((400, 300), (800, 600)), mode="L"))
    assert (spec.data.resize, spec.data.channels) == ((48, 64), "grey")


@pytest.mark.parametrize("test", ("test", "val"))
def test_parts_of_a_split_are_recognised(cellwright, tmp_path: Path, test):
    for part in ("train", test):
        photos(tmp_path / "x" / part)
    spec, _ = written(cellwright, tmp_path / "x")
    assert (spec.data.path, spec.data.test_path) == (tmp_path / "x/train", tmp_path / "x" / test)


def test_arrays_of_any_name_are_found(cellwright, tmp_path: Path):
    np.savez(tmp_path / "x.npz", which=np.arange(6) % 2, pics=np.zeros((6, 9, 9), np.uint8))
    spec, _ = written(cellwright, tmp_path / "x.npz")
    assert (spec.data.images_key, spec.data.labels_key) == ("pics", "which")


def test_a_table_beside_images_is_named(cellwright, tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("file,label\na.png,red\n")
    done = cellwright("init", tmp_path)
    assert done.exit_code == 1 and "or name the table of labels, labels.csv, if it is one" in done.stderr


def test_a_table_of_images_is_recognised(cellwright, tmp_path: Path):
    photos(tmp_path / "x")
    rows = [
        f"{file.relative_to(tmp_path / 'x')},{file.parent.name}" for file in (tmp_path / "x").rglob("*.png")
    ]
    (tmp_path / "Labels.csv").write_text("\n".join(["file,label", *rows]))
    spec, text = written(cellwright, tmp_path / "Labels.csv")
    assert (spec.name, spec.data.source, spec.data.path) == ("labels", "csv", tmp_path / "Labels.csv")
    assert "# 8 images of 2 classes, 4 of each" in text


def test_lines_of_json_are_texts(cellwright):
    spec, text = written(cellwright, EXAMPLES / "mail.jsonl")
    assert (spec.data.text, spec.data.target, spec.data.predict) == ("text", "team", "class")
    assert (spec.name, spec.space.kind) == ("mail", "tokens")
    assert "# 300 texts; the target is team, a class" in text


@pytest.mark.parametrize(("last", "predict"), [("late,{word}", "class"), ("price,{number}", "number")])
def test_of_a_table_the_last_column_is_predicted(cellwright, tmp_path: Path, last, predict):
    name, _, value = last.partition(",")
    rows = [f"{n % 7};{value.format(word='ny'[n % 2], number=n * 1.5)}" for n in range(30)]
    (tmp_path / "Orders.csv").write_text("\n".join([f"size;{name}", *rows]))
    spec, text = written(cellwright, tmp_path / "Orders.csv")
    assert (spec.data.target, spec.data.predict, spec.data.delimiter) == (name, predict, ";")
    assert (spec.name, spec.space.kind) == ("orders", "dense")
    assert f"# 30 rows of 2 columns; target is the last column, a {predict}" in text


def test_series_are_recognised_with_their_test_set(cellwright, tmp_path: Path):
    lines = ["@problemName gun", "@data", *(f"{n},2,3,{n % 5},5:{n % 2 + 1}" for n in range(12))]
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"Gun_{part}.ts").write_text("\n".join(lines))
    spec, text = written(cellwright, tmp_path / "Gun_TRAIN.ts")
    assert (spec.data.source, spec.data.predict) == ("series", "class")
    assert (spec.data.path.name, spec.data.test_path.name) == ("Gun_TRAIN.ts", "Gun_TEST.ts")
    assert spec.name == "gun" and "# 12 series of 1 × 5 values; target is one of 2 classes" in text


def test_clips_are_recognised_by_folder_with_their_sets_and_by_table(cellwright, tmp_path: Path):
    for part in ("train", "val", "test"):
        shutil.copytree(EXAMPLES / "alarms", tmp_path / "x" / part)
    spec, text = written(cellwright, tmp_path / "x")
    assert (spec.data.source, spec.strategy.kind) == ("audio", "race")
    places = [spec.data.path, spec.data.validation_path, spec.data.test_path]
    assert places == [tmp_path / "x" / part for part in ("train", "val", "test")]
    assert "# 48 clips of 3 classes, 16 of each; clips last 0.30 to 0.50 s at 4000 Hz" in text
    rows = [
        f"{file.parent.name}/{file.name};a;{file.parent.name}" for file in (tmp_path / "x/val").rglob("*.wav")
    ]
    (tmp_path / "x/val/t.csv").write_text("\n".join(["clip;who;class", *rows]))
    Path("new.yaml").unlink()
    listed, _ = written(cellwright, tmp_path / "x/val/t.csv")
    assert (listed.data.source, listed.data.path) == ("audio", tmp_path / "x/val")
    assert (listed.data.file, listed.data.target, listed.data.delimiter) == ("clip", "class", ";")


def test_names_of_classes_stay_in_their_comment(cellwright, tmp_path: Path):
    spec, text = written(cellwright, photos(tmp_path / "x", classes=("a\nname: b", "c")))
    assert spec.name == "x"
    assert "\nname: b" not in text


def test_what_is_no_data_and_what_is_there_is_refused(cellwright, tmp_path: Path):
    (tmp_path / "x.txt").write_text("x")
    done = cellwright("init", tmp_path / "x.txt")
    assert done.exit_code == 1 and "must be a folder with a folder of images per class" in done.stderr
    data = photos(tmp_path / "y")
    assert cellwright("init", data).exit_code == 0
    again = cellwright("init", data)
    assert again.exit_code == 1 and "y.yaml exists, and is not written over" in again.stderr
