"""What MLflow runs to predict with a registered network of classes or of several inputs; it needs no cellwright.

MLflow's own wrapper of PyTorch models takes a single array, and gives logits without names.
"""

import numpy as np
import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class NetworkModel(PythonModel):
    """Predicts from an array, or from a mapping of the inputs' names to arrays, each with a row for each example."""

    _skip_type_hint_validation = True
    """MLflow would ask for type hints, and has none for arrays by name; the signature says what they are."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the exported network."""
        self.network = torch.export.load(context.artifacts["network"]).module()

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Return the class, or the labels, and the probability of each one; else the network's output."""
        names, class_names = context.model_config["inputs"], context.model_config["class_names"]
        label_names = context.model_config.get("label_names")
        arrays = [model_input[name] for name in names] if len(names) > 1 else [np.asarray(model_input)]
        with torch.no_grad():
            outputs: torch.Tensor = self.network(*map(torch.from_numpy, arrays))
        if label_names is not None:
            shares = outputs.double().sigmoid().numpy()
            predicted = ["|".join(np.array(label_names, object)[row > 0.5]) for row in shares]
            columns = {f"probability of {name}": shares[:, index] for index, name in enumerate(label_names)}
            return pd.DataFrame({"prediction": predicted, **columns})
        if class_names is None:
            return outputs.numpy()
        shares = outputs.double().softmax(dim=1).numpy()
        predicted = [class_names[index] for index in shares.argmax(axis=1)]
        columns = {f"probability of {name}": shares[:, index] for index, name in enumerate(class_names)}
        return pd.DataFrame({"prediction": predicted, **columns})


set_model(NetworkModel())
