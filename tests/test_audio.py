"""Audio clips, from their spec to a model that predicts where there is no cellwright."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from scipy.io import wavfile

from cellwright.predicting import Predictor
from cellwright.results import EvaluationResult, ModelInfo
from cellwright.tasks.audio.files import decoder
from tests.example_runs import EXAMPLES, run_example
from tests.pages import python
from tests.without import without

SMALL = "space={kind: chain, channels: 4, num_layers: 3}"
FILES = sorted((EXAMPLES / "alarms").rglob("*.wav"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    strategy = "strategy={kind: random}"
    return run_example("audio.yaml", "evaluate", tmp_path_factory.mktemp("runs"), SMALL, strategy)


def test_networks_are_compared_with_each_other_and_a_classical_model(done: Mapping[str, Path]):
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    assert [score.name for score in evaluation.baselines] == ["random-0", "resnet", "pooled-mel"]
    assert evaluation.baselines[2].metrics["accuracy"].value >= 0.7


def test_onnx_predicts_from_a_file_as_the_page_says_without_cellwright(
    done: Mapping[str, Path], tmp_path: Path
):
    shutil.copy(done["retrain"] / "model.onnx", tmp_path)
    shutil.copy(FILES[0], tmp_path / "clip.wav")
    test = load_file(done["prepare"] / "test.safetensors")["inputs/samples"]
    torch.save(test, tmp_path / "samples.pt")
    script = f"""{without("cellwright", "my_package")}
{python("audio.md", "import wave")}
import torch
found, = model.run(None, {{"samples": torch.load("samples.pt").numpy()}})
torch.save((torch.from_numpy(logits), torch.from_numpy(found)), "logits.pt")
"""
    command = [sys.executable, "-I", "-W", "ignore", "-c", script]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    of_page, found = torch.load(tmp_path / "logits.pt")
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    predictor = Predictor(done["retrain"])
    ((_, inputs),) = predictor.task.examples_in(FILES[0], predictor.info)
    torch.testing.assert_close(of_page, predictor.outputs(inputs)[0], atol=1e-4, rtol=0)


def test_files_of_any_rate_are_predicted_and_served_in_the_same_way(done: Mapping[str, Path], tmp_path: Path):
    rate, samples = wavfile.read(FILES[0])
    wavfile.write(tmp_path / "a.wav", rate, samples)
    wavfile.write(tmp_path / "b.wav", 2 * rate, np.stack([samples.repeat(2)] * 2, axis=1))
    (tmp_path / "list.csv").write_text("file\na.wav\nnone.wav\n")
    (tmp_path / "-").write_bytes((tmp_path / "a.wav").read_bytes())
    predictor = Predictor(done["retrain"])
    files = [tmp_path / name for name in ("a.wav", "b.wav", "list.csv", "-")]
    first, other_rate, listed, absent, piped = predictor.predict(files)
    assert first.answer == listed.answer == piped.answer
    assert other_rate.answer["label"] == first.answer["label"]
    assert absent.error is not None and "there is no such file" in absent.error
    info = ModelInfo.load(done["retrain"] / ModelInfo.FILE)
    read = decoder(info)((tmp_path / "a.wav").read_bytes())
    np.testing.assert_array_equal(read[: len(samples)], samples)


def test_the_report_shows_log_mel_pictures(done: Mapping[str, Path], tmp_path: Path):
    predictor = Predictor(done["retrain"])
    (tmp_path / "a.png").write_bytes(predictor.task.picture((torch.zeros(2000, dtype=torch.int16),)) or b"")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.width, image.height) == predictor.task.map_shape[:0:-1]
