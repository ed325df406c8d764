"""Series, from their spec to a model that predicts where there is no cellwright."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cellwright.results import EvaluationResult, SearchResult
from tests.example_runs import run_example
from tests.without import without


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return run_example("series.yaml", "evaluate", tmp_path_factory.mktemp("runs"), "space.channels=4")


def test_kernels_are_searched_and_compared(done: Mapping[str, Path]):
    assert SearchResult.load(done["search"] / "search.json").genotype.space == "kernels"
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    assert [score.name for score in evaluation.baselines] == ["random-0", "resnet1d", "hydra"]
    hydra = evaluation.baselines[2].metrics["accuracy"]
    assert hydra.value > 0.8


def test_onnx_predicts_from_raw_series_without_cellwright(done: Mapping[str, Path], tmp_path: Path):
    test = load_file(done["prepare"] / "test.safetensors")["inputs/series"]
    test[0] = torch.nan
    torch.save(test, tmp_path / "series.pt")
    script = f"""{without("cellwright", "my_package")}
import onnxruntime, torch
session = onnxruntime.InferenceSession({str(done["retrain"] / "model.onnx")!r})
logits, = session.run(None, {{"series": torch.load({str(tmp_path / "series.pt")!r}).numpy()}})
torch.save(torch.from_numpy(logits), {str(tmp_path / "logits.pt")!r})
"""
    subprocess.run([sys.executable, "-I", "-W", "ignore", "-c", script], check=True, timeout=120)
    logits = torch.load(tmp_path / "logits.pt")
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"]
    torch.testing.assert_close(logits[1:], expected[1:], atol=1e-4, rtol=0)
    assert logits[0].isfinite().all()
