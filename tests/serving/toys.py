"""Exports as small as they can be, made without torch, and versions of them in a registry."""

from pathlib import Path

import numpy as np
import onnx
from mlflow import MlflowClient
from onnx import TensorProto, helper, numpy_helper

from cellwright.canonical import canonical_json
from cellwright.genotype import Genotype
from cellwright.results import ONNX, InputInfo, ModelInfo, OutputInfo
from cellwright.tracking.record import EXTRA_FILES
from cellwright.tracking.registry import FILES_TAG, digests

CLASSES = ("boot", "Schühchen")
SHAPE = (1, 2, 2)


def images_info() -> ModelInfo:
    return ModelInfo(
        cellwright="0",
        genotype=Genotype(space="none", cells={}),
        inputs=(InputInfo(name="images", shape=SHAPE, dtype="uint8", meaning="pixels"),),
        output=OutputInfo(name="logits", meaning="a logit for each class"),
        class_names=CLASSES,
        task={"kind": "images"},
    )


def classifier(folder: Path, scale: float = 1.0) -> Path:
    """Write a model of grey images whose first logit is `scale` times the mean pixel and the other 0."""
    weights = np.zeros((4, 2), np.float32)
    weights[:, 0] = scale / 4 / 255
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *SHAPE])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])]
    return _written(folder, nodes, inputs, outputs, {"weights": weights}, images_info())


def pricer(folder: Path) -> Path:
    """Write a model of the columns `area` and `street`, which predicts the area; return its folder."""
    nodes = [helper.make_node("Cast", ["area"], ["values"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("Identity", ["street"], ["unused"]))
    inputs = [
        helper.make_tensor_value_info("area", TensorProto.DOUBLE, ["batch"]),
        helper.make_tensor_value_info("street", TensorProto.STRING, ["batch"]),
    ]
    outputs = [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch"])]
    info = images_info().model_copy(
        update={
            "columns": (
                InputInfo(name="area", shape=(), dtype="float64", meaning="a number"),
                InputInfo(name="street", shape=(), dtype="string", meaning="a text"),
            ),
            "output": OutputInfo(name="values", meaning="the price"),
            "class_names": None,
        }
    )
    return _written(folder, nodes, inputs, outputs, {}, info)


def _written(folder, nodes, inputs, outputs, weights, info) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"cellwright": info.model_dump_json()})
    onnx.save(model, folder / ONNX)
    return folder


def register(client: MlflowClient, name: str, scale: float, folder: Path) -> int:
    """Register a classifier, as `register` does, and return the number of its version."""
    source = folder / f"{name}-{scale}"
    classifier(source / EXTRA_FILES, scale)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    tags = {FILES_TAG: canonical_json(digests(source))}
    return int(client.create_model_version(name, source=source.as_uri(), tags=tags).version)
