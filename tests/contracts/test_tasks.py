from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cellwright.testing import SourceContract, TaskContract

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = [
    "digits",
    "npz",
    "npz-float",
    "idx",
    "images",
    "csv",
    "parquet",
    "spectra",
    "table",
    "table-numbers",
    "series",
    "series-numbers",
    "text",
    "text-numbers",
]

SAME_TASK = ("npz", "idx", "csv", "parquet")
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
        case "text":
            return {"source": "text", "path": EXAMPLES / "mail.jsonl", "target": "team"}
        case "text-numbers":
            words = ["red", "green", "blue", "rouge", "gr\u00fcn"]
            rows = [{"t": " ".join(words[i % 5 : 1 + i % 7]) + f" {i}", "y": i % 7} for i in range(60)]
            (folder / "a.csv").write_text("t,y\n" + "".join(f"{row['t']},{row['y']}\n" for row in rows))
            keys = {"text": "t", "target": "y", "predict": "number"}
            return {"source": "text", "path": folder / "a.csv", **keys}
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
