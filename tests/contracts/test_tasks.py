import shutil
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from cellwright.data.prepared import PreparedData
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.spec import SOURCES, DataSection
from cellwright.tasks.base import read_task
from cellwright.tasks.preparing import prepare
from cellwright.testing import SourceContract, TaskContract

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = [
    "digits",
    "npz",
    "npz-float",
    "idx",
    "images",
    "csv",
    "csv-numbers",
    "csv-labels",
    "parquet",
    "spectra",
    "table",
    "table-numbers",
    "series",
    "series-numbers",
    "forecast",
    "forecast-several",
    "text",
    "text-numbers",
    "text-labels",
    "table-labels",
    "audio",
    "audio-table",
]

FORECASTS = ("forecast", "forecast-several")
"""What has no test set of its own; of a file, the last window is predicted from."""
SAME_TASK = ("npz", "idx", "csv", "parquet", "audio-table")
"""Sources with the same task, and the same type of inputs, as another one."""


def idx(path: Path, array: np.ndarray) -> Path:
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    path.write_bytes(bytes((0, 0, 8, array.ndim)) + sides + array.tobytes())
    return path


def encoded(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def small(kind: str, folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 9, 8), dtype=np.uint8), np.arange(60, dtype=np.uint8) % 3
    match kind:
        case "digits":
            return {"source": "digits", "limit": 60}
        case "npz":
            np.savez(folder / "a.npz", images=images, labels=labels)
            return {"source": "npz", "path": folder / "a.npz"}
        case "npz-float":
            np.savez(folder / "a.npz", images=rng.random((60, 9, 8, 3)), labels=labels)
            return {"source": "npz", "path": folder / "a.npz"}
        case "idx":
            return {
                "source": "idx",
                "images": idx(folder / "images", images),
                "labels": idx(folder / "labels", labels),
            }
        case "images":
            for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
                (folder / f"class{label}").mkdir(exist_ok=True)
                Image.fromarray(pixels).save(folder / f"class{label}" / f"{index}.png")
            return {"source": "images", "path": folder, "channels": "grey"}
        case "csv-numbers" | "csv-labels":
            values = [i % 10 / 2 for i in range(60)]
            if kind == "csv-labels":
                values = ["|".join(["odd"] * (i % 2) + ["third"] * (i % 3 == 0)) for i in range(60)]
            (folder / "labels.csv").write_text(
                "\n".join(["file,y", *(f"{i}.png,{value}" for i, value in enumerate(values))])
            )
            for index, pixels in enumerate(images):
                Image.fromarray(pixels).save(folder / f"{index}.png")
            predict = kind.removeprefix("csv-").replace("numbers", "number")
            return {"source": "csv", "path": folder / "labels.csv", "channels": "grey", "predict": predict}
        case "csv":
            rows = [f"{index}.png,class{label}" for index, label in enumerate(labels)]
            (folder / "labels.csv").write_text("\n".join(["file,label", *rows]))
            for index, pixels in enumerate(images):
                Image.fromarray(pixels).save(folder / f"{index}.png")
            return {"source": "csv", "path": folder / "labels.csv", "channels": "grey"}
        case "parquet":
            contents = [encoded(pixels) for pixels in images]
            pq.write_table(pa.table({"image": contents, "label": labels}), folder / "a.parquet")
            return {"source": "parquet", "path": folder / "a.parquet", "channels": "grey"}
        case "series":
            return {"source": "series", "path": EXAMPLES / "bearings.npz"}
        case "series-numbers":
            np.savez(folder / "a.npz", x=rng.normal(size=(60, 2, 20)), y=rng.normal(size=60))
            return {"source": "series", "path": folder / "a.npz", "predict": "number"}
        case "forecast":
            keys = {"time": "hour", "targets": ["rented"], "past": ["temperature"], "known": ["holiday"]}
            window = {"lookback": 48, "horizon": 12, "stride": 6}
            return {"source": "forecast", "path": EXAMPLES / "bikes.csv", **keys, **window}
        case "forecast-several":
            rows = [f"{n},{rng.normal()},{rng.normal()}" for n in range(120)]
            (folder / "a.csv").write_text("\n".join(["n,a,b", *rows]))
            return {"source": "forecast", "path": folder / "a.csv", "time": "n", "lookback": 20, "horizon": 5}
        case "text":
            return {"source": "text", "path": EXAMPLES / "mail.jsonl", "target": "team"}
        case "text-numbers":
            words = ["red", "green", "blue", "rouge", "gr\u00fcn"]
            rows = [{"t": " ".join(words[i % 5 : 1 + i % 7]) + f" {i}", "y": i % 7} for i in range(60)]
            (folder / "a.csv").write_text("t,y\n" + "".join(f"{row['t']},{row['y']}\n" for row in rows))
            keys = {"text": "t", "target": "y", "predict": "number"}
            return {"source": "text", "path": folder / "a.csv", **keys}
        case "text-labels":
            keys = {"target": "topics", "predict": "labels"}
            return {"source": "text", "path": EXAMPLES / "requests.jsonl", **keys}
        case "table-labels":
            rows = [
                f"{x * 7 % 61},{'NY'[x % 3 == 0]},{int(x > 40)},{x % 2},{int(x % 5 < 2)}" for x in range(60)
            ]
            (folder / "a.csv").write_text("\n".join(["x,y,large,odd,low", *rows]))
            keys = {"target": ["large", "odd", "low"], "predict": "labels"}
            return {"source": "table", "path": folder / "a.csv", **keys}
        case "audio":
            for index, label in enumerate(labels):
                tone = np.sin(np.arange(700 + index) * (0.2 + 0.3 * label)) + rng.normal(size=700 + index) / 9
                (folder / f"class{label}").mkdir(exist_ok=True)
                wavfile.write(folder / f"class{label}" / f"{index}.wav", 2000, np.int16(9000 * tone))
            return {"source": "audio", "path": folder, "group_pattern": "^."}
        case "audio-table":
            section = small("audio", folder)
            rows = [f"class{label}/{index}.wav,{label},s{index // 4}" for index, label in enumerate(labels)]
            (folder / "clips.csv").write_text("\n".join(["file,label,speaker", *rows]))
            return section | {
                "table": folder / "clips.csv",
                "group_by": "speaker",
                "group_pattern": None,
                "seconds": 0.3,
            }
        case "table":
            return {"source": "table", "path": EXAMPLES / "deliveries.csv", "target": "late"}
        case "table-numbers":
            return {
                "source": "table",
                "path": EXAMPLES / "deliveries.csv",
                "target": "distance_km",
                "predict": "number",
                "log": True,
                "group_by": "driver",
            }
        case _:
            return {"source": "my_package.spectra_section:SpectraSection", "path": EXAMPLES / "spectra.csv"}


def prepared(section: DataSection, folder: Path) -> PreparedData:
    prepare(section, folder, lambda fact: None)
    return PreparedData.open(folder)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in ("digits", "spectra", "audio-table", *FORECASTS)]
)
def test_the_training_set_is_refused_as_the_test_set(kind: str, tmp_path: Path):
    """Also a copy of it, for any source that can have a test set of its own."""
    (tmp_path / "data").mkdir()
    section = small(kind, tmp_path / "data")
    type_of = SOURCES.section_type(section["source"])
    keys = [key for key in type_of.TEST_KEYS if key.removeprefix("test_") in section]
    copies = {}
    for key in keys:
        place = section[key.removeprefix("test_")]
        copies[key] = tmp_path / f"{key}{place.suffix}"
        shutil.copytree(place, copies[key]) if place.is_dir() else shutil.copyfile(place, copies[key])
    if kind.startswith("csv"):
        section["folder"] = tmp_path / "data"
    with pytest.raises(DataError, match="the test set must not be the training set"):
        prepared(SOURCES.validate({**section, **copies}), tmp_path / "prepared")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("digits", "spectra", *FORECASTS)])
def test_files_to_predict_are_read_as_in_training(kind: str, tmp_path: Path):
    (tmp_path / "data").mkdir()
    section = SOURCES.validate(small(kind, tmp_path / "data"))
    data = prepared(section, tmp_path / "prepared")
    task = read_task(data.manifest.task)
    info = task.model_info(data.manifest.inputs, Genotype(space="none", cells={}))
    place = section.locations.get("path") or section.locations["images"]
    files = sorted(file for file in (place.rglob("*") if place.is_dir() else [place]) if file.is_file())
    found = {as_bytes(inputs) for file in files for _, inputs in task.examples_in(file, info)}
    rows = [zip(*part.inputs, strict=True) for part in (data.train, data.validation, data.test)]
    assert {as_bytes(row) for part in rows for row in part} <= found


def as_bytes(inputs: Sequence[torch.Tensor]) -> tuple[bytes, ...]:
    return tuple(tensor.numpy().tobytes() for tensor in inputs)


CLASSES = ("class1", "class2", "class10")


@pytest.mark.parametrize("kind", ["npz", "images", "csv", "parquet", "table", "series", "text", "audio"])
def test_classes_have_their_natural_order(kind: str, tmp_path: Path):
    """Wherever names come from: 2 before 10."""
    rng = np.random.default_rng(0)
    names = [CLASSES[i % 3] for i in range(30)]
    pixels, path = rng.integers(0, 256, (30, 9, 8), dtype=np.uint8), tmp_path / "a"
    section: dict[str, Any] = {"source": kind}
    match kind:
        case "npz" | "series":
            x = pixels if kind == "npz" else pixels[:, :2].astype(np.float32)
            np.savez(path := tmp_path / "a.npz", x=x, y=np.array(names))
            section |= {"images_key": "x", "labels_key": "y"} if kind == "npz" else {}
        case "audio":
            for index, name in enumerate(names):
                (path / name).mkdir(parents=True, exist_ok=True)
                wavfile.write(path / name / f"{index}.wav", 2000, np.int16(pixels[index].repeat(9)))
        case "images" | "csv":
            for index, name in enumerate(names):
                (path / name).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[index]).save(path / name / f"{index}.png")
            rows = [f"{name}/{index}.png,{name}" for index, name in enumerate(names)]
            if kind == "csv":
                path = path / "labels.csv"
                path.write_text("\n".join(["file,label", *rows]))
        case "parquet":
            images = [encoded(one) for one in pixels]
            pq.write_table(pa.table({"image": images, "label": names}), path := tmp_path / "a.parquet")
        case _:
            rows = [f"{index} words,{index * 7 % 11},{name}" for index, name in enumerate(names)]
            path = tmp_path / "a.csv"
            path.write_text("\n".join(["t,n,y", *rows]))
            section |= {"target": "y"} | ({"text": "t"} if kind == "text" else {})
    data = prepared(SOURCES.validate({**section, "path": path}), tmp_path / "prepared")
    info = read_task(data.manifest.task).model_info(data.manifest.inputs, Genotype(space="none", cells={}))
    assert tuple(info.class_names) == CLASSES


class TestSources(SourceContract):
    @pytest.fixture(params=KINDS)
    def section(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> dict[str, Any]:
        return small(request.param, tmp_path_factory.mktemp("source"))


class TestTasks(TaskContract):
    @pytest.fixture(params=[kind for kind in KINDS if kind not in SAME_TASK])
    def section(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> dict[str, Any]:
        return small(request.param, tmp_path_factory.mktemp("source"))
