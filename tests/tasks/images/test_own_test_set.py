"""What every source keeps: sets of the user's own are the splits, and are none of what is trained on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cellwright.data.prepared import PreparedData
from cellwright.errors import DataError
from cellwright.spec import DataSection
from cellwright.tasks.images.sources.csv import CsvSection
from cellwright.tasks.images.sources.folder import FolderSection
from cellwright.tasks.images.sources.idx import IdxSection
from cellwright.tasks.images.sources.npz import NpzSection
from cellwright.tasks.preparing import prepare

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8), np.uint8)
LABELS = np.arange(40) % 2

Build = Callable[..., DataSection]


def npz(folder: Path, train: list[int], test: list[int], **more) -> NpzSection:
    for name, chosen in (("train", train), ("test", test)):
        np.savez(folder / name, images=IMAGES[chosen], labels=LABELS[chosen])
    return NpzSection(source="npz", path=folder / "train.npz", test_path=folder / "test.npz", **more)


def one_archive(folder: Path, train: list[int], test: list[int], **more) -> NpzSection:
    arrays = {
        f"{letter}_{name}": array[chosen]
        for name, chosen in (("train", train), ("test", test))
        for letter, array in (("x", IMAGES), ("y", LABELS))
    }
    path = folder / "all.npz"
    np.savez(path, **arrays)
    return NpzSection(
        source="npz", path=path, test_path=path, images_key="x_train", labels_key="y_train", **more
    )


def idx(folder: Path, train: list[int], test: list[int], **more) -> IdxSection:
    paths = {}
    for prefix, chosen in (("", train), ("test_", test)):
        for name, array in (("images", IMAGES[chosen]), ("labels", LABELS[chosen].astype(np.uint8))):
            paths[prefix + name] = folder / (prefix + name)
            header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            paths[prefix + name].write_bytes(header + array.tobytes())
    return IdxSection(source="idx", **paths, **more)


def images(folder: Path, train: list[int], test: list[int], **more) -> FolderSection:
    for name, chosen in (("train", train), ("test", test)):
        for number, index in enumerate(chosen):
            file = folder / name / str(LABELS[index]) / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(IMAGES[index]).save(file)
    return FolderSection(
        source="images", path=folder / "train", test_path=folder / "test", channels="grey", **more
    )


def table(folder: Path, train: list[int], test: list[int], **more) -> CsvSection:
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    for name, chosen in (("train", train), ("test", test)):
        rows = [f"photos/{name}-{number}.png,{LABELS[index]}" for number, index in enumerate(chosen)]
        (folder / f"{name}.csv").write_text("\n".join(["image,label", *rows]))
        for row, index in zip(rows, chosen, strict=True):
            Image.fromarray(IMAGES[index]).save(folder / row.split(",")[0])
    return CsvSection(
        source="csv", path=folder / "train.csv", test_path=folder / "test.csv", channels="grey", **more
    )


SOURCES = [npz, one_archive, idx, images, table]


def with_validation(build: Build, folder: Path, train: list[int], validation: list[int], test: list[int]):
    """Return a source with three sets."""
    section, other = (
        build(make(folder / name), chosen, test) for name, chosen in (("own", train), ("other", validation))
    )
    locations = {
        f"validation_{key}": section.locations.get(key) and other.locations[key]
        for key in ("path", "images", "labels")
    }
    return section.model_copy(update={key: place for key, place in locations.items() if place})


def make(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(params=SOURCES, ids=lambda build: build.__name__)
def build(request: pytest.FixtureRequest) -> Build:
    return request.param


def prepared(section: DataSection, folder: Path):
    return prepare(section, folder / "data", lambda message: None)


def refusal(section: DataSection, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        prepared(section, folder)
    assert all(f"data.{key}" in str(caught.value) for key in section.TEST_KEYS)
    return str(caught.value)


@pytest.mark.parametrize("duplicates", ["report", "drop"])
def test_the_training_set_is_refused(build: Build, tmp_path: Path, duplicates: str):
    section = build(tmp_path, list(range(20)), [*reversed(range(20))], duplicates=duplicates)
    message = "the test set must not be the training set, but 20 of its 20 examples are in "
    assert message in refusal(section, tmp_path)


@pytest.mark.parametrize("kind", ["same", "symbolic link", "hard link", "other way"])
def test_the_training_set_is_refused_by_any_path(build: Build, tmp_path: Path, kind: str):
    section = build(tmp_path, list(range(20)), list(range(20, 30)))
    changed = {}
    for key in ("path", "images", "labels"):
        if (place := section.locations.get(key)) is None:
            continue
        link = tmp_path / f"link-{key}"
        if kind == "symbolic link":
            link.symlink_to(place)
        elif kind == "hard link" and place.is_file():
            link.hardlink_to(place)
        else:
            link = place if kind == "same" else place.parent / "." / ".." / place.parent.name / place.name
        changed["test_path" if key == "path" else f"test_{key}"] = link
    if section.source == "npz":
        changed |= {"test_images_key": section.images_key, "test_labels_key": section.labels_key}
    assert "must not be the training set" in refusal(section.model_copy(update=changed), tmp_path)


def test_a_test_set_mostly_of_training_images_is_refused_unless_those_are_dropped(
    build: Build, tmp_path: Path
):
    train, test = list(range(20)), [*range(6), *range(20, 24)]
    message = "must not be part of the training set, but 6 of its 10 examples are in "
    found = refusal(build(tmp_path, train, test), tmp_path)
    assert message in found
    assert "data.duplicates: drop" in found
    manifest = prepared(build(tmp_path, train, test, duplicates="drop"), tmp_path)
    assert (manifest.duplicates.dropped, manifest.split_sizes["test"]) == (6, 10)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shared=st.integers(0, 10), others=st.integers(2, 10), limit=st.sampled_from([None, 8]))
def test_any_overlap_is_reported_or_refused(
    build: Build, tmp_path_factory: pytest.TempPathFactory, shared: int, others: int, limit: int | None
):
    folder = tmp_path_factory.mktemp("data")
    section = build(folder, list(range(20)), [*range(shared), *range(20, 20 + others)], limit=limit)
    if shared > others:
        refusal(section, folder)
        return
    found = prepared(section, folder).duplicates
    unused = 20 - (limit or 20)
    assert shared - unused <= found.train_test + found.validation_test <= shared


def test_a_validation_set_is_the_validation_split(build: Build, tmp_path: Path):
    chosen = {"train": [*range(14)], "validation": [*range(14, 22)], "test": [*range(22, 28)]}
    prepared(with_validation(build, tmp_path, *chosen.values()), tmp_path)
    data = PreparedData.open(tmp_path / "data")
    for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test)):
        found = {image.tobytes() for image in split.inputs[0].numpy()}
        assert found == {IMAGES[index].tobytes() for index in chosen[name]}
        assert len(split) == len(chosen[name])


def test_the_training_set_is_refused_for_validation(build: Build, tmp_path: Path):
    section = with_validation(build, tmp_path, [*range(20)], [*range(20)], [*range(20, 30)])
    with pytest.raises(DataError, match="the validation set must not be the training set"):
        prepared(section, tmp_path)
