"""The first part of an ONNX graph for tables: from columns as people have them to the arrays of networks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cellwright.nn.export import Front
from cellwright.tasks.tables.columns import FIRST_LEVEL, INPUT_NAMES, MISSING, UNKNOWN, Column

if TYPE_CHECKING:
    import onnx

    from cellwright.tasks.tables.task import Table

UNSEEN = "\N{REPLACEMENT CHARACTER}"
"""A text that is no level."""


class ColumnFront(Front):
    """Numbers become float32, texts their codes, and the columns of a kind one array."""

    def __init__(self, task: "Table") -> None:
        self.task = task

    def raw(self, inputs: Sequence[Tensor]) -> Mapping[str, NDArray[Any]]:
        """Return each column as people have it."""
        arrays = dict(zip(self.task.input_names, (tensor.numpy() for tensor in inputs), strict=True))
        indices = dict.fromkeys(INPUT_NAMES.values(), 0)
        columns = {}
        for column in self.task.columns:
            name = INPUT_NAMES[column.kind]
            columns[column.name] = self._raw(column, arrays[name][:, indices[name]])
            indices[name] += 1
        return columns

    def _raw(self, column: Column, values: NDArray[Any]) -> NDArray[Any]:
        match column.kind:
            case "number":
                return values.astype(np.float64)
            case "date":
                return values
            case "category":
                texts = np.array([UNSEEN, "", *self.task.levels[column.name]], object)
                return np.asarray(texts[values])

    def nodes(self, prefix: str) -> tuple[list["onnx.ValueInfoProto"], list["onnx.NodeProto"]]:
        """Return the graph's inputs, a column each, and the nodes that give the network's inputs."""
        from onnx import TensorProto, helper

        types = {"number": TensorProto.DOUBLE, "category": TensorProto.STRING, "date": TensorProto.INT64}
        inputs = [helper.make_tensor_value_info(c.name, types[c.kind], ["batch"]) for c in self.task.columns]
        axis, nodes = f"{prefix}axis", []
        nodes.append(helper.make_node("Constant", [], [axis], value_ints=[1]))
        for kind, name in INPUT_NAMES.items():
            parts = []
            for column in self.task.of_kind(kind):
                value = column
                if kind != "date":
                    value = f"{prefix}{kind}/{column}"
                    nodes.append(self._converted(kind, column, value))
                parts.append(f"{prefix}{kind}/{column}/2d")
                nodes.append(helper.make_node("Unsqueeze", [value, axis], [parts[-1]]))
            if parts:
                nodes.append(helper.make_node("Concat", parts, [f"{prefix}{name}"], axis=1))
        return inputs, nodes

    def _converted(self, kind: str, column: str, output: str) -> "onnx.NodeProto":
        from onnx import TensorProto, helper

        if kind == "number":
            return helper.make_node("Cast", [column], [output], to=TensorProto.FLOAT)
        codes = dict.fromkeys(("", *self.task.missing), MISSING)
        codes |= {level: code for code, level in enumerate(self.task.levels[column], FIRST_LEVEL)}
        return helper.make_node(
            "LabelEncoder",
            [column],
            [output],
            domain="ai.onnx.ml",
            keys_strings=list(codes),
            values_int64s=list(codes.values()),
            default_int64=UNKNOWN,
        )
