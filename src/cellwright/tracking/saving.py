"""The files of an MLflow model, in the form that needs neither pickle nor this package."""

import copy
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.pytorch
import numpy as np
import numpy.typing as npt
import torch
from mlflow.entities import LoggedModel
from mlflow.models import Model, infer_signature
from packaging.version import Version

from cellwright.errors import CellwrightError
from cellwright.nn.export import RawInputs
from cellwright.tracking.staging import staged

Example = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


class _OneInput(torch.nn.Module):
    """A network whose only argument MLflow can make dynamic, which it cannot where there may be any number."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the network's outputs."""
        outputs: torch.Tensor = self.network(batch)
        return outputs


def save_model(
    folder: Path,
    logged: LoggedModel,
    model: torch.nn.Module,
    input_example: Example,
    metadata: Mapping[str, Any],
    extra_files: Mapping[str, Path],
) -> None:
    """Write the files of `logged`, load them as a user would, and compare predictions."""
    raw = RawInputs(copy.deepcopy(model).cpu().eval(), [torch.from_numpy(input_example).dtype])
    network = _OneInput(raw).eval()
    described = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=logged.source_run_id,
    )
    with staged(extra_files) as extra:
        mlflow.pytorch.save_model(
            network,
            folder,
            mlflow_model=described,
            signature=infer_signature(input_example, _predict(network, input_example)),
            input_example=input_example,
            metadata=dict(metadata),
            extra_files=[str(extra / name) for name in extra_files],
            pip_requirements=[f"{package}=={_public(package)}" for package in ("mlflow", "torch", "numpy")],
            serialization_format="pt2",
        )
    # Exported weights can't leave the CPU, but MLflow asks for CUDA wherever there is a GPU.
    described.flavors[mlflow.pyfunc.FLAVOR_NAME][mlflow.pyfunc.MODEL_CONFIG] = {"device": "cpu"}
    described.save(str(folder / "MLmodel"))
    _compare(folder, network, input_example)


def _compare(folder: Path, network: torch.nn.Module, input_example: Example) -> None:
    saved = mlflow.pyfunc.load_model(str(folder))
    for batch in (input_example, input_example[:1]):
        expected, got = _predict(network, batch), saved.predict(batch)
        if not np.allclose(expected, got, rtol=1e-3, atol=1e-4, equal_nan=True):
            raise CellwrightError(
                f"the exported model must predict what the network predicts, but for a batch of {len(batch)} "
                f"they differ by up to {np.abs(expected - got).max():.3g}"
            )


def _predict(network: torch.nn.Module, batch: Example) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        outputs: torch.Tensor = network(torch.from_numpy(batch))
    return outputs.numpy()


def _public(package: str) -> str:
    """Return the installed version as the package index names it, without a local part such as `+cpu`."""
    return Version(version(package)).public
