import random
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from cellwright.errors import CellwrightError
from cellwright.nn import export
from cellwright.spaces import Darts
from cellwright.spaces.darts.network import Network
from cellwright.tasks.images.task import ImageTask


@pytest.fixture
def network(tiny_space: Darts, tiny_task: ImageTask) -> nn.Module:
    return Network(tiny_task, tiny_space.sample(random.Random(0)), num_cells=3, channels=4).eval()


@pytest.fixture
def images(tiny_task: ImageTask) -> torch.Tensor:
    return torch.rand(5, *tiny_task.image_shape)


def test_pt2_gives_the_logits_for_any_batch(network: nn.Module, images: torch.Tensor, tmp_path: Path):
    export.export_pt2(network, images, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    for size in (1, 2, 5):
        torch.testing.assert_close(loaded(images[:size]), network(images[:size]), atol=1e-5, rtol=0)


def test_onnx_gives_the_logits_for_any_batch_from_one_file(
    network: nn.Module, images: torch.Tensor, tmp_path: Path
):
    path = tmp_path / "model.onnx"
    export.export_onnx(network, images, path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert onnx.load(path).opset_import[0].version >= 18
    session = onnxruntime.InferenceSession(path)
    for size in (1, 2, 5):
        [logits] = session.run(["logits"], {"images": images[:size].numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), network(images[:size]), atol=1e-4, rtol=0)


def test_an_export_that_gives_other_logits_is_refused(images: torch.Tensor, tmp_path: Path):
    class Shifting(nn.Module):
        """Gives logits that grow with each call, which no export can follow."""

        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x.flatten(1) + self.calls

    with pytest.raises(
        CellwrightError, match=r"model.pt2: logits must be within 0.0001 of the network's, got"
    ):
        export.export_pt2(Shifting(), images, tmp_path / "model.pt2")
