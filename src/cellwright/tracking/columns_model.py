"""What a registered model of named columns runs when MLflow loads it; it needs no cellwright."""

import json
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ColumnsModel(PythonModel):
    """Predicts from a data frame with the columns of the training data, of which any value may be missing."""

    _skip_type_hint_validation = True
    """MLflow would ask for type hints; the signature says what columns there are."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the network."""
        self.session = onnxruntime.InferenceSession(
            context.artifacts["model"], providers=["CPUExecutionProvider"]
        )
        facts = self.session.get_modelmeta().custom_metadata_map
        self.class_names = json.loads(facts.get("class_names", "null"))
        self.label_names = json.loads(facts.get("label_names", "null"))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Return the predicted number, or the class or the labels and the probability of each one."""
        feeds = {x.name: _values(model_input[x.name], x) for x in self.session.get_inputs()}
        (outputs,) = self.session.run(None, feeds)
        if self.label_names is not None:
            shares = 1 / (1 + np.exp(-outputs.astype(np.float64)))
            predicted = ["|".join(np.array(self.label_names, object)[row > 0.5]) for row in shares]
            columns = {
                f"probability of {name}": shares[:, index] for index, name in enumerate(self.label_names)
            }
            return pd.DataFrame({"prediction": predicted, **columns})
        if self.class_names is None:
            return pd.DataFrame({"prediction": outputs.astype(np.float64)})
        shares = np.exp(outputs - outputs.max(axis=1, keepdims=True)).astype(np.float64)
        shares /= shares.sum(axis=1, keepdims=True)
        predicted = [self.class_names[index] for index in shares.argmax(axis=1)]
        columns = {f"probability of {name}": shares[:, index] for index, name in enumerate(self.class_names)}
        return pd.DataFrame({"prediction": predicted, **columns})


def _values(column: Any, taken: Any) -> Any:
    """Return a column as ONNX takes it: what is missing is NaN, an empty text, or the least integer."""
    if taken.type == "tensor(double)":
        return column.astype(np.float64).to_numpy()
    if taken.type in ("tensor(string)", "tensor(uint8)"):
        texts = column.astype(object).where(column.notna(), "").astype(str).to_numpy(object)
        return texts if taken.type == "tensor(string)" else _bytes(texts, taken.shape[1])
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True).dt.tz_localize(None).to_numpy("datetime64[s]").view(np.int64)
    return column.astype(np.int64).to_numpy()


def _bytes(texts: Any, length: int) -> Any:
    """Return texts in UTF-8, 0 after the end; of a longer one the characters that fit in."""
    rows = np.zeros((len(texts), length), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        content = text.encode()[:length].decode(errors="ignore").encode()
        row[: len(content)] = np.frombuffer(content, np.uint8)
    return rows


set_model(ColumnsModel())
