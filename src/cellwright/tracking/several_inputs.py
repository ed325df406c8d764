"""The code of a registered model with several inputs, which MLflow keeps with the model and runs to load it.

MLflow's own wrapper of PyTorch models takes a single array. This file is copied, so it imports nothing of cellwright.
"""

import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class SeveralInputs(PythonModel):
    """Predicts from a mapping of the inputs' names to arrays, each with a row for each example."""

    _skip_type_hint_validation = True
    """MLflow would ask for type hints, and has none for arrays by name; the signature says what they are."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the exported network."""
        self.network = torch.export.load(context.artifacts["network"]).module()

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Return the network's output, a row for each example."""
        names = context.model_config["inputs"]
        with torch.no_grad():
            outputs: torch.Tensor = self.network(*(torch.from_numpy(model_input[name]) for name in names))
        return outputs.numpy()


set_model(SeveralInputs())
