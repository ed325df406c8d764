"""Exports networks to files that run without cellwright (ONNX and PyTorch's pt2), and checks their outputs."""

import json
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path
from cellwright.results import ModelInfo

if TYPE_CHECKING:
    import onnx

OPSET, ML_OPSET = 20, 3
PREFIX = "network/"
TOLERANCE = 1e-4
"""Maximum difference from the network's outputs; relative to the largest output if that is above 1."""


class RawInputs(nn.Module):
    """A network that accepts only inputs of the types in its training data.

    This keeps bytes from 0 to 255 and fractions from 0 to 1 apart, here and in the exported files.
    """

    def __init__(self, network: nn.Module, dtypes: Sequence[torch.dtype]) -> None:
        super().__init__()
        self.network = network
        self.dtypes = tuple(dtypes)
        self.train(network.training)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the network's outputs."""
        for tensor, dtype in zip(inputs, self.dtypes, strict=True):
            if tensor.dtype != dtype:
                raise TypeError(f"inputs must be {dtype}, as in training, got {tensor.dtype}")
        outputs: Tensor = self.network(*map(_as_in_training, inputs))
        return outputs


def _as_in_training(tensor: Tensor) -> Tensor:
    """Return fractions and the bytes of maps as float32, and other integers, also bytes of texts, unchanged."""
    is_number = tensor.is_floating_point() or (tensor.dtype == torch.uint8 and tensor.ndim == 4)
    return tensor.to(torch.float32) if is_number else tensor


class Front(ABC):
    """The first part of an ONNX graph, which turns raw inputs into the network's input tensors."""

    @abstractmethod
    def raw(self, inputs: Sequence[Tensor]) -> Mapping[str, NDArray[Any]]:
        """Return the graph's inputs by name that correspond to the given tensors."""

    @abstractmethod
    def nodes(self, prefix: str) -> tuple[list["onnx.ValueInfoProto"], list["onnx.NodeProto"]]:
        """Return the graph's inputs and nodes. The last nodes give the network's inputs, named with the prefix."""


def export_pt2(network: nn.Module, inputs: Sequence[Tensor], path: Path, info: ModelInfo) -> None:
    """Write the network as an ExportedProgram with a dynamic batch size, and check its outputs.

    Args:
        network: in eval mode, on the CPU.
        inputs: at least 2 raw examples, for tracing and the check; the export accepts only their types.
        path: the `.pt2` file.
        info: stored in the file as the extra file `model_info.json`.
    """
    network = RawInputs(network, [tensor.dtype for tensor in inputs])
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(
        network, tuple(tensor[:2] for tensor in inputs), dynamic_shapes=(tuple({0: batch} for _ in inputs),)
    )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.export.save(program, file, extra_files={ModelInfo.FILE: info.model_dump_json()})
    _check(network, torch.export.load(path).module(), inputs, path)


def export_onnx(
    network: nn.Module, inputs: Sequence[Tensor], path: Path, info: ModelInfo, front: Front | None = None
) -> None:
    """Write the network as ONNX with a dynamic batch size, and check its outputs.

    Args:
        network: in eval mode, on the CPU.
        inputs: at least 2 raw examples, for tracing and the check; the export accepts only their types.
        path: the `.onnx` file.
        info: names of the inputs and the output, and the file's metadata: all of it as JSON in `cellwright`, and the
            most used parts in `class_names` or `label_names`, and `input_shapes`.
        front: the part before the network, if raw inputs are not tensors.
    """
    import onnxruntime

    input_names = [x.name for x in info.inputs]
    network = RawInputs(network, [tensor.dtype for tensor in inputs])

    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            tuple(tensor[:2] for tensor in inputs),
            dynamo=True,
            opset_version=OPSET,
            input_names=input_names,
            output_names=[info.output.name],
            dynamic_shapes=(tuple({0: torch.export.Dim("batch", min=1)} for _ in inputs),),
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(_onnx_metadata(info))
    with atomic_path(path) as temporary:
        program.save(temporary, external_data=False)
        if front is not None:
            temporary.write_bytes(_prepended(front, temporary).SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(*batch: Tensor) -> Tensor:
        arrays = dict(zip(input_names, (tensor.numpy() for tensor in batch), strict=True))
        return torch.from_numpy(session.run(None, front.raw(batch) if front else arrays)[0])

    _check(network, run, inputs, path)


def _prepended(front: Front, path: Path) -> "onnx.ModelProto":
    """Return the model with the front before it; all names except those of its outputs get a prefix."""
    import onnx.compose

    model = onnx.compose.add_prefix(onnx.load(path), PREFIX, rename_outputs=False)
    inputs, nodes = front.nodes(PREFIX)
    graph, network = model.graph, list(model.graph.node)
    del graph.input[:], graph.node[:]
    graph.input.extend(inputs)
    graph.node.extend([*nodes, *network])
    if all(opset.domain != "ai.onnx.ml" for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", ML_OPSET))
    onnx.checker.check_model(model)
    return model


def _onnx_metadata(info: ModelInfo) -> dict[str, str]:
    parts: dict[str, Any] = {"input_shapes": {x.name: x.shape for x in info.raw_inputs}}
    for key in ("class_names", "label_names"):
        if names := getattr(info, key):
            parts[key] = names
    texts = {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}
    return {"cellwright": info.model_dump_json(), **texts}


def _check(network: nn.Module, exported: Callable[..., Tensor], inputs: Sequence[Tensor], path: Path) -> None:
    """Compare outputs for the whole batch and for one example."""
    with torch.inference_mode():
        for batch in (inputs, [tensor[:1] for tensor in inputs]):
            expected = network(*batch)
            gap = (expected - exported(*batch)).abs().max().item()
            most = TOLERANCE * max(1.0, expected.abs().max().item())
            if not gap <= most:
                raise CellwrightError(
                    f"{path}: outputs must be within {most:.2g} of the network's, got {gap:.2g}"
                )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide the exporter's warnings about its own internals, which users cannot act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
