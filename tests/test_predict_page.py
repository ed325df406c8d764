"""What docs/predict.md and the README tell people to run, in a process that cannot import cellwright."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cellwright.data.prepared import PreparedData
from cellwright.genotype import Genotype
from cellwright.nn.export import export_onnx
from cellwright.nn.initialising import seeded_initialisation
from cellwright.tasks.base import read_task
from cellwright.tasks.images.sources.folder import FolderSection
from cellwright.tasks.preparing import prepare
from tests.without import without

ROOT = Path(__file__).parents[1]
NAMES = ("boot", "Schühchen", "10", "shoe")
WITHOUT_CELLWRIGHT = without("cellwright") + 'sys.stdout.reconfigure(encoding="utf-8")\n'


def snippet(after: str) -> str:
    page = (ROOT / "docs/predict.md").read_text().partition(f"## {after}\n")[2]
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def photo(kind: str, rng: np.random.Generator) -> Image.Image:
    pixels = rng.integers(0, 256, (4, 5, 4), np.uint8).repeat(10, axis=0).repeat(11, axis=1)
    match kind:
        case "grey":
            return Image.fromarray(pixels[..., 0])
        case "transparent":
            return Image.fromarray(pixels)
        case "palette":
            return Image.fromarray(pixels[..., :3]).quantize()
        case _:
            return Image.fromarray(pixels[..., :3])


def save(image: Image.Image, kind: str, path: Path) -> Path:
    """Write an image whose name says JPEG whatever it is, as people's do."""
    exif = Image.Exif()
    exif[0x0112] = 6 if kind == "turned" else 1
    image.save(path, "JPEG" if kind in ("turned", "grey") else "PNG", exif=exif)
    return path


@pytest.mark.parametrize("settings", [{"resize": (9, 16)}, {"resize": (12, 8), "channels": "grey"}], ids=str)
def test_a_photo_is_classified_with_labels_and_probabilities(settings, tmp_path: Path):
    rng = np.random.default_rng(0)
    for name in NAMES:
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(5):
            save(photo("colour", rng), "colour", tmp_path / "photos" / name / f"{number}.jpg")
    section = FolderSection(source="images", path=tmp_path / "photos", **settings)
    prepare(section, tmp_path / "data", lambda fact: None)
    data = PreparedData.open(tmp_path / "data")
    task = read_task(data.manifest.task)
    with seeded_initialisation(0):
        features = math.prod(task.map_shape)
        network = nn.Sequential(task.adapter(), nn.Flatten(), nn.Linear(features, task.num_outputs)).eval()
    info = task.model_info(data.manifest.inputs, Genotype(space="none", cells={}))
    export_onnx(network, data.train[:8].inputs, tmp_path / "model.onnx", info)
    for kind in ("colour", "grey", "transparent", "palette", "turned"):
        file = save(photo(kind, rng), kind, tmp_path / "photo.jpg")
        code = WITHOUT_CELLWRIGHT + snippet("Classify a photo")
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
        pixels = torch.from_numpy(section.image_files.decode(file.read_bytes()).copy())[None]
        with torch.no_grad():
            expected = network(pixels.float()).softmax(1)[0].tolist()
        printed = [line.rsplit(": ", 1) for line in done.stdout.splitlines()]
        assert [name for name, _ in printed] == ["10", "Schühchen", "boot", "shoe"]
        assert [float(share) for _, share in printed] == pytest.approx(expected, abs=1e-4)
