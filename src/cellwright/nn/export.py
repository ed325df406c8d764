"""Networks as files that run without cellwright: ONNX and torch's pt2, each checked against the network."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path

OPSET = 20
TOLERANCE = 1e-4


class RawImages(nn.Module):
    """A network that takes images of one type, raw as its training data was, and refuses all others.

    So bytes from 0 to 255 and fractions from 0 to 1 are never taken for each other, here or in what is exported.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype
        self.train(network.training)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the network's logits."""
        if x_BCHW.dtype != self.dtype:
            raise TypeError(f"images must be {self.dtype}, as in training, got {x_BCHW.dtype}")
        logits: Tensor = self.network(x_BCHW.to(torch.float32))
        return logits


def export_pt2(network: nn.Module, x_BCHW: Tensor, path: Path) -> None:
    """Write the network as an ExportedProgram with a dynamic batch, and check its logits.

    Args:
        network: in eval mode, on the CPU.
        x_BCHW: raw images to trace and check with, at least 2; the export takes no other type of pixels.
        path: the `.pt2` file.
    """
    network = RawImages(network, x_BCHW.dtype)
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(network, (x_BCHW[:2],), dynamic_shapes=({0: batch},))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.export.save(program, file)
    _check(network, torch.export.load(path).module(), x_BCHW, path)


def export_onnx(network: nn.Module, x_BCHW: Tensor, path: Path) -> None:
    """Write the network as ONNX with input `images`, output `logits` and a dynamic batch, and check its logits.

    Args:
        network: in eval mode, on the CPU.
        x_BCHW: raw images to trace and check with, at least 2; the export takes no other type of pixels.
        path: the `.onnx` file.
    """
    import onnxruntime

    network = RawImages(network, x_BCHW.dtype)

    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            (x_BCHW[:2],),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            verbose=False,
        )
    assert program is not None
    with atomic_path(path) as temporary:
        program.save(temporary, external_data=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    _check(network, lambda x: torch.from_numpy(session.run(None, {"images": x.numpy()})[0]), x_BCHW, path)


def _check(network: nn.Module, exported: Callable[[Tensor], Tensor], x_BCHW: Tensor, path: Path) -> None:
    """Compare logits on the whole batch and on one example."""
    with torch.inference_mode():
        for x in (x_BCHW, x_BCHW[:1]):
            gap = (network(x) - exported(x)).abs().max().item()
            if not gap <= TOLERANCE:
                raise CellwrightError(
                    f"{path}: logits must be within {TOLERANCE} of the network's, got {gap:.2g}"
                )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's advice on its own internals from users, who cannot act on it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
