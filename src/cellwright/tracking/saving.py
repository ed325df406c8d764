"""The files of an MLflow model, in the form that needs neither pickle nor this package."""

import copy
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.pytorch
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature, infer_signature
from mlflow.pyfunc.loaders import code_model
from mlflow.types import ColSpec, Schema
from packaging.version import Version

from cellwright.errors import CellwrightError
from cellwright.nn.export import RawInputs
from cellwright.results import PT2
from cellwright.tracking.record import EXTRA_FILES, LoggedColumns
from cellwright.tracking.staging import staged

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
"""The inputs of a batch by name, in the order in which the network takes them."""
Names = Sequence[str] | None

NETWORK_MODEL = Path(__file__).with_name("network_model.py")
COLUMN_TYPES = {"f": "double", "O": "string", "i": "datetime"}
"""MLflow's name for the type of a column, by the kind of NumPy's."""


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
    inputs: Arrays,
    metadata: Mapping[str, Any],
    extra_files: Mapping[str, Path],
) -> None:
    """Write the files of `logged`, load them as a user would, and compare predictions.

    A model with one input takes an array; one with several takes a mapping of their names to arrays. It gives the class
    and the probability of each, or the labels and the probability of each, as `metadata` has `class_names` or
    `label_names`, and without either the network's output.
    """
    dtypes = [torch.from_numpy(array).dtype for array in inputs.values()]
    network = RawInputs(copy.deepcopy(model).cpu().eval(), dtypes).eval()
    example = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    names = {key: metadata.get(key) and list(metadata[key]) for key in ("class_names", "label_names")}
    config = {"inputs": list(inputs), **names}
    described = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=logged.source_run_id,
    )
    common: dict[str, Any] = {
        "mlflow_model": described,
        "signature": infer_signature(example, _answers(_predict(network, inputs), **names)),
        "input_example": example,
        "metadata": dict(metadata),
        "pip_requirements": [
            f"{package}=={_public(package)}" for package in ("mlflow", "torch", "numpy", "pandas")
        ],
    }
    with staged(extra_files) as extra:
        if len(inputs) == 1:
            files = [str(extra / name) for name in extra_files]
            _save_with_one_input(folder, network, common | {"extra_files": files}, config)
        else:
            _save_with_several_inputs(folder, network, inputs, common, config)
            shutil.copytree(extra, folder / EXTRA_FILES)
    _compare(folder, network, inputs, **names)


def _save_with_one_input(
    folder: Path, network: RawInputs, common: dict[str, Any], config: Mapping[str, Any]
) -> None:
    """Write a model that `mlflow.pytorch` loads as a network, and `mlflow.pyfunc` as one that names its classes."""
    mlflow.pytorch.save_model(_OneInput(network).eval(), folder, serialization_format="pt2", **common)
    described = common["mlflow_model"]
    served = described.flavors[mlflow.pyfunc.FLAVOR_NAME]
    if config["class_names"] is None and config["label_names"] is None:
        # Exported weights can't leave the CPU, but MLflow asks for CUDA wherever there is a GPU.
        served[mlflow.pyfunc.MODEL_CONFIG] = {"device": "cpu"}
    else:
        shutil.copyfile(NETWORK_MODEL, folder / NETWORK_MODEL.name)
        del served[mlflow.pyfunc.DATA]
        served |= {
            mlflow.pyfunc.MAIN: code_model.__name__,
            mlflow.pyfunc.MODEL_CODE_PATH: NETWORK_MODEL.name,
            mlflow.pyfunc.MODEL_CONFIG: dict(config),
            "artifacts": {"network": {"path": f"data/{PT2}", "uri": f"data/{PT2}"}},
        }
    described.save(str(folder / "MLmodel"))


def _save_with_several_inputs(
    folder: Path,
    network: RawInputs,
    inputs: Arrays,
    common: dict[str, Any],
    config: Mapping[str, Any],
) -> None:
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(
        network,
        tuple(torch.from_numpy(array) for array in inputs.values()),
        dynamic_shapes=(tuple({0: batch} for _ in inputs),),
    )
    with tempfile.TemporaryDirectory(prefix="cellwright-") as temporary:
        torch.export.save(program, Path(temporary, PT2))
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(NETWORK_MODEL),
            artifacts={"network": str(Path(temporary, PT2))},
            model_config=dict(config),
            **common,
        )


def save_columns_model(
    folder: Path,
    logged: LoggedModel,
    columns: LoggedColumns,
    metadata: Mapping[str, Any],
    extra_files: Mapping[str, Path],
) -> None:
    """Write the files of `logged`, a model of named columns that runs ONNX, load it as a user would, and compare."""
    example = pd.DataFrame({name: _series(values) for name, values in columns.example.items()})
    schema = Schema(
        [ColSpec(COLUMN_TYPES[values.dtype.kind], name) for name, values in columns.example.items()]
    )
    outputs = Schema([ColSpec("string" if columns.has_classes else "double", "prediction")])
    packages = ("mlflow", "numpy", "onnxruntime", "pandas")
    described = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=logged.source_run_id,
        metadata=dict(metadata),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice to who writes models for MLflow
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("columns_model.py")),
            artifacts={"model": str(columns.onnx.resolve())},
            mlflow_model=described,
            signature=ModelSignature(inputs=schema, outputs=outputs),
            pip_requirements=[f"{package}=={_public(package)}" for package in packages],
        )
    for name, source in extra_files.items():
        (folder / EXTRA_FILES).mkdir(exist_ok=True)
        shutil.copyfile(source, folder / EXTRA_FILES / name)
    saved = mlflow.pyfunc.load_model(str(folder))
    for batch in (example, example[:1]):
        found = saved.predict(batch).to_numpy(object)
        expected = columns.predictions[: len(batch)]
        if not all(map(_equal, found[:, 0], expected)):
            raise CellwrightError(
                f"the exported model must predict {list(expected)}, got {list(found[:, 0])}"
            )


def _series(values: npt.NDArray[Any]) -> pd.Series:
    """Return a column as people have it; whole numbers are dates, in seconds since 1970."""
    return pd.Series(values.view("datetime64[s]") if values.dtype.kind == "i" else values)


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, str):
        return bool(found == expected)
    return bool(np.allclose(found, expected, rtol=1e-3, atol=1e-4, equal_nan=True))


def _answers(outputs: npt.NDArray[np.float32], class_names: Names, label_names: Names) -> Any:
    """Return what `network_model.py` predicts for the outputs of a network."""
    if label_names is not None:
        shares = torch.from_numpy(outputs).double().sigmoid().numpy()
        predicted = ["|".join(itertools.compress(label_names, row > 0.5)) for row in shares]
        columns = {f"probability of {name}": shares[:, index] for index, name in enumerate(label_names)}
        return pd.DataFrame({"prediction": predicted, **columns})
    if class_names is None:
        return outputs
    shares = torch.from_numpy(outputs).double().softmax(dim=1).numpy()
    columns = {f"probability of {name}": shares[:, index] for index, name in enumerate(class_names)}
    return pd.DataFrame({"prediction": [class_names[index] for index in shares.argmax(axis=1)], **columns})


def _compare(
    folder: Path, network: RawInputs, inputs: Arrays, class_names: Names, label_names: Names
) -> None:
    saved = mlflow.pyfunc.load_model(str(folder))
    for size in (None, 1):
        batch = {name: array[:size] for name, array in inputs.items()}
        expected = _answers(_predict(network, batch), class_names, label_names)
        got = saved.predict(batch if len(batch) > 1 else next(iter(batch.values())))
        if class_names is not None or label_names is not None:
            expected, got = (answer.drop(columns="prediction").to_numpy() for answer in (expected, got))
        if not np.allclose(expected, got, rtol=1e-3, atol=1e-4, equal_nan=True):
            raise CellwrightError(
                f"the exported model must predict what the network predicts, but for a batch of {len(expected)} "
                f"they differ by up to {np.abs(expected - got).max():.3g}"
            )


def _predict(network: torch.nn.Module, inputs: Arrays) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        outputs: torch.Tensor = network(*map(torch.from_numpy, inputs.values()))
    return outputs.numpy()


def _public(package: str) -> str:
    """Return the installed version as the package index names it, without a local part such as `+cpu`."""
    return Version(version(package)).public
