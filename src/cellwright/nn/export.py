"""Networks as files that run without cellwright: ONNX and torch's pt2, each checked against the network."""

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
"""How far outputs may be from the network's; of outputs above 1, as a share of the largest."""


class RawInputs(nn.Module):
    """A network that takes inputs of the types that its training data had, and refuses all others.

    So bytes from 0 to 255 and fractions from 0 to 1 are never taken for each other, here or in what is exported.
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
    """Return bytes and fractions as float32, and other whole numbers, such as those of words, as they are."""
    is_number = tensor.is_floating_point() or tensor.dtype == torch.uint8
    return tensor.to(torch.float32) if is_number else tensor


class Front(ABC):
    """What brings inputs as people have them to a network's tensors: the first part of an ONNX graph."""

    @abstractmethod
    def raw(self, inputs: Sequence[Tensor]) -> Mapping[str, NDArray[Any]]:
        """Return what the graph takes, by name, for which the network would be given these tensors."""

    @abstractmethod
    def nodes(self, prefix: str) -> tuple[list["onnx.ValueInfoProto"], list["onnx.NodeProto"]]:
        """Return the graph's inputs and nodes; of these the last give the network's inputs, named after a prefix."""


def export_pt2(network: nn.Module, inputs: Sequence[Tensor], path: Path, info: ModelInfo) -> None:
    """Write the network as an ExportedProgram with a dynamic batch, and check its outputs.

    Args:
        network: in eval mode, on the CPU.
        inputs: raw inputs to trace and check with, at least 2 examples; the export takes no other types.
        path: the `.pt2` file.
        info: what the file says about itself, in the extra file `model_info.json`.
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
    """Write the network as ONNX with a dynamic batch, and check its outputs.

    Args:
        network: in eval mode, on the CPU.
        inputs: raw inputs to trace and check with, at least 2 examples; the export takes no other types.
        path: the `.onnx` file.
        info: what its inputs and its output are called, and what the file says about itself in its metadata: all of
            it as JSON in `cellwright`, and the most wanted in `class_names` and `input_shapes`.
        front: what comes before the network, where the inputs are not tensors as people have them.
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
    """Return the model with the front before it; all names but those of its outputs get a prefix."""
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
    if info.class_names:
        parts["class_names"] = info.class_names
    texts = {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}
    return {"cellwright": info.model_dump_json(), **texts}


def _check(network: nn.Module, exported: Callable[..., Tensor], inputs: Sequence[Tensor], path: Path) -> None:
    """Compare outputs on the whole batch and on one example."""
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
