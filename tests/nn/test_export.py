import random
from contextlib import nullcontext
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from torch import nn

from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.nn import export
from cellwright.results import InputInfo, ModelInfo, OutputInfo
from cellwright.spaces.darts.network import Network
from cellwright.spaces.darts.space import Darts
from cellwright.tasks.images.task import ImageClassification

TASK = ImageClassification(map_shape=(2, 8, 8), class_names=("0", "1", "2"), mean=(0.5, 1.0), std=(1.0, 2.0))
SPACE = Darts(primitives=("skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"), num_nodes=2)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return Network(TASK, SPACE.sample(random.Random(0)), num_cells=3, channels=4).eval()


def info(**inputs: torch.Tensor) -> ModelInfo:
    """Return what a network of these inputs says about itself."""
    return ModelInfo(
        cellwright="0",
        genotype=Genotype(space="none", cells={}),
        inputs=tuple(
            InputInfo(name=name, shape=x.shape[1:], dtype=str(x.dtype).removeprefix("torch."), meaning=name)
            for name, x in inputs.items()
        ),
        output=OutputInfo(name="outputs", meaning="numbers"),
        class_names=("boot", "Schühchen"),
        task={},
    )


PIXELS = [torch.uint8, torch.float32]


@pytest.fixture(params=PIXELS, ids=str, scope="module")
def images(request: pytest.FixtureRequest) -> torch.Tensor:
    return (255 * torch.rand(5, *TASK.map_shape)).to(request.param)


@pytest.fixture(scope="module")
def exported(network: nn.Module, images: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both exports of the network."""
    folder = tmp_path_factory.mktemp("exported")
    export.export_onnx(network, (images,), folder / "model.onnx", info(images=images))
    export.export_pt2(network, (images,), folder / "model.pt2", info(images=images))
    return folder


def others(images: torch.Tensor) -> list[torch.Tensor]:
    """Return the images with pixels of every other type."""
    types = {torch.uint8, torch.float32, torch.float64, torch.int64, torch.int8} - {images.dtype}
    return [images.to(dtype) for dtype in types]


def test_pixels_of_another_type_are_refused_before_export(network: nn.Module, images: torch.Tensor):
    raw = export.RawInputs(network, [images.dtype])
    assert torch.equal(raw(images), network(images.float()))
    for other in others(images):
        with pytest.raises(TypeError, match=f"inputs must be {images.dtype}, as in training, got"):
            raw(other)


def test_pt2_gives_the_logits_for_any_batch(network: nn.Module, images: torch.Tensor, exported: Path):
    loaded = torch.export.load(exported / "model.pt2").module()
    for size in (1, 2, 5):
        expected = network(images[:size].float())
        torch.testing.assert_close(loaded(images[:size]), expected, atol=1e-5, rtol=0)
    for other in others(images):
        with pytest.raises(RuntimeError, match="dtype mismatch"):
            loaded(other)


def test_onnx_gives_the_logits_for_any_batch_from_one_file(
    network: nn.Module, images: torch.Tensor, exported: Path
):
    path = exported / "model.onnx"
    assert {file.name for file in exported.iterdir()} == {"model.onnx", "model.pt2"}
    assert onnx.load(path).opset_import[0].version >= 18
    session = onnxruntime.InferenceSession(path)
    for size in (1, 2, 5):
        [logits] = session.run(["outputs"], {"images": images[:size].numpy()})
        torch.testing.assert_close(
            torch.from_numpy(logits), network(images[:size].float()), atol=1e-4, rtol=0
        )
    for other in others(images):
        with pytest.raises(InvalidArgument, match="Unexpected input data type"):
            session.run(["outputs"], {"images": other.numpy()})


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
        CellwrightError, match=r"model.pt2: outputs must be within 0.02\d of the network's, got"
    ):
        export.export_pt2(Shifting(), (images,), tmp_path / "model.pt2", info(images=images))


class TwoInputs(nn.Module):
    """A signal beside the number of a word, which an embedding takes as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(7, 3)

    def forward(self, signal: torch.Tensor, word: torch.Tensor) -> torch.Tensor:
        return signal + self.words(word)


def test_several_inputs_keep_their_names_order_and_types(tmp_path: Path):
    network, inputs = TwoInputs().eval(), (torch.rand(5, 3, dtype=torch.float64), torch.arange(5))
    expected = network(inputs[0].float(), inputs[1])
    facts = info(signal=inputs[0], word=inputs[1])
    export.export_pt2(network, inputs, tmp_path / "model.pt2", facts)
    assert torch.export.load(tmp_path / "model.pt2").module()(*inputs).equal(expected)
    path = tmp_path / "model.onnx"
    export.export_onnx(network, inputs, path, facts)
    [values] = onnxruntime.InferenceSession(path).run(
        ["outputs"], {"word": inputs[1].numpy(), "signal": inputs[0].numpy()}
    )
    torch.testing.assert_close(torch.from_numpy(values), expected)


@pytest.mark.parametrize(
    ("size", "gap", "passes"),
    [(1.0, 9e-5, True), (1.0, 2e-4, False), (1e3, 0.09, True), (1e3, 0.2, False), (1e3, float("nan"), False)],
)
def test_outputs_may_differ_by_a_share_of_their_size(tmp_path: Path, size: float, gap: float, passes: bool):
    outputs = torch.full((3, 2), size, dtype=torch.float64)
    with nullcontext() if passes else pytest.raises(CellwrightError, match="outputs must be within"):
        export._check(nn.Identity(), lambda batch: batch + gap, [outputs], tmp_path / "model.pt2")


def test_grey_images_are_refused_where_a_model_wants_colour(images: torch.Tensor, exported: Path):
    grey = images[:, :1]
    with pytest.raises(
        InvalidArgument, match="invalid dimensions for input: images(.|\n)*Got: 1 Expected: 2"
    ):
        onnxruntime.InferenceSession(exported / "model.onnx").run(None, {"images": grey.numpy()})
    with pytest.raises((AssertionError, RuntimeError), match="to be equal to 2, but got 1|== 2"):
        torch.export.load(exported / "model.pt2").module()(grey)


def test_metadata_of_onnx_can_be_read_without_all_of_it(exported: Path):
    props = {prop.key: prop.value for prop in onnx.load(exported / "model.onnx").metadata_props}
    assert props["class_names"] == '["boot", "Schühchen"]'
    assert props["input_shapes"] == '{"images": [2, 8, 8]}'
