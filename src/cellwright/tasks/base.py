"""The base class of all tasks: all that loops, strategies, estimators and steps know about inputs and targets."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PlainValidator, SerializeAsAny
from torch import Tensor, nn

from cellwright import __version__
from cellwright.data import Source, SplitName
from cellwright.data.manifest import ArrayForm
from cellwright.data.split import Inputs, Split
from cellwright.data.splitting import Part, Strata
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.importing import load_class
from cellwright.nn.export import Front
from cellwright.results import (
    Confusion,
    InputInfo,
    Interval,
    ModelInfo,
    OutputInfo,
    Result,
    Score,
    ScoreTable,
)
from cellwright.spec import TASKS, DataSection
from cellwright.tasks.example_files import ARRAYS, array_examples

Resize = Callable[[Inputs], Inputs]


class RunningScore(ABC):
    """Computes the objective over an epoch, batch by batch."""

    @abstractmethod
    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """Add a batch, without waiting for the device."""

    @abstractmethod
    def value(self) -> float:
        """Return the objective over all batches."""


class Task(Result, ABC):
    """Defines inputs, targets, and the properties of the data that networks depend on; stored as JSON with weights.

    A network consists of an adapter (from raw inputs to a feature map), a body (defined by the space) and a head, which
    gives the outputs (B, …). The first of `metrics` is the objective of searches: at most 1, higher is better.
    """

    metrics: ClassVar[tuple[str, ...]]
    """Names of the metrics, the objective first."""
    output_name: ClassVar[str]
    """Name of the network's output in exports."""
    output_meaning: ClassVar[str]
    """Description of the output for users of an export."""

    embeddings: ClassVar[tuple[str, ...]] = ("plain",)
    """Names of the available adapters, the default first."""

    kind: str
    """The task's name in the spec's families, or the import path of its section."""
    input_names: tuple[str, ...]
    """Names of the inputs, in the order of the networks' arguments."""
    map_shape: tuple[int, int, int]
    """Channels, height and width of the adapter's feature map; height is 1 for signals."""

    @classmethod
    @abstractmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task of a source, with statistics of the training split only."""

    @classmethod
    def of_targets(cls, source: Source, train: Part) -> dict[str, Any]:
        """Return the task's fields that follow from its targets; statistics are those of the training split alone."""
        return {}

    def weighted(self, section: DataSection, train: Part) -> Self:
        """Return the task with the example weights that the section requests, if any."""
        return self

    @classmethod
    def check(cls, source: Source, section: DataSection) -> None:
        """Raise DataError, naming the rule, if the source's targets are unusable."""

    @classmethod
    def remarks(cls, source: Source) -> Iterator[str]:
        """Yield one-line remarks about the source's targets."""
        yield from ()

    @classmethod
    @abstractmethod
    def strata(cls, source: Source) -> Strata:
        """Return the stratum of each example; each stratum is divided among the splits."""

    @classmethod
    def check_splits(cls, source: Source, parts: Mapping[SplitName, Part]) -> None:
        """Raise DataError if a split is unusable after duplicates are dropped."""

    def warnings(self, source: Source, parts: Mapping[SplitName, Part]) -> Iterator[str]:
        """Yield one-line warnings about the relation of inputs and targets, such as leaks."""
        yield from ()

    def encode(self, source: Source, part: Part) -> Part:
        """Return the part in its stored form, if that differs from the source's."""
        return part

    def suited(self, train: Split, validation: Split) -> Mapping[str, Any]:
        """Return values of hyperparameters, such as `augment.flip`, that follow from the examples."""
        return {}

    @property
    def objective(self) -> str:
        """Return the metric that searches maximise."""
        return self.metrics[0]

    @property
    @abstractmethod
    def summary(self) -> str:
        """Return a short description of inputs and targets."""

    @property
    def target_summary(self) -> str:
        """Say in a few words what is predicted."""
        return self.output_name

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Return the number of outputs of the head for each example."""

    def input_meaning(self, name: str) -> str:
        """Return a description of an input for users of an export."""
        return "as in the data"

    def model_info(self, inputs: Mapping[str, ArrayForm], genotype: Genotype) -> ModelInfo:
        """Return the model information for exports of a network.

        Args:
            inputs: shape and type of each input, by name.
            genotype: the network's genotype.
        """
        return ModelInfo(
            cellwright=__version__,
            genotype=genotype,
            inputs=tuple(
                InputInfo(name=name, **inputs[name].model_dump(), meaning=self.input_meaning(name))
                for name in self.input_names
            ),
            output=OutputInfo(name=self.output_name, meaning=self.output_meaning),
            task=self.model_dump(mode="json"),
        )

    def examples_in(self, file: Path, info: ModelInfo) -> Iterator[tuple[str, Inputs | str]]:
        """Yield the examples in a user's file with their names, as inputs (1, …) for prediction.

        Args:
            file: a local file.
            info: the inputs of the model.

        Returns:
            For each example its inputs, or an error message if the file has several examples and this one is invalid.

        Raises:
            DataError: the file cannot be read; the message names the rule.
        """
        if file.suffix not in ARRAYS:
            raise DataError(f"{file}: must be {' or '.join(ARRAYS)}")
        yield from array_examples(file, info.inputs)

    def answer(self, output: Tensor) -> dict[str, Any]:
        """Return the prediction of an output (…) as JSON, the most important part first."""
        return {self.output_name: output.tolist()}

    def as_columns(self, inputs: Inputs) -> Mapping[str, NDArray[Any]] | None:
        """Return inputs as the columns that MLflow's model takes; None where it takes the inputs themselves."""
        front = self.front()
        return None if front is None else front.raw(inputs)

    def front(self) -> Front | None:
        """Return the part before the network that maps users' inputs to tensors, if tensors cannot represent them."""
        return None

    @abstractmethod
    def adapter(self) -> nn.Module:
        """Return the module that maps raw inputs to a feature map of `map_shape`; exports include it."""

    def embedding(self, name: str) -> nn.Module:
        """Return the adapter with a name in `embeddings`."""
        return self.adapter()

    def head(self, num_features: int) -> nn.Module:
        """Return the module that maps features (B, F) to outputs."""
        return nn.Linear(num_features, self.num_outputs)

    @abstractmethod
    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return zero inputs, in the form that networks receive in training."""

    @abstractmethod
    def combine(self, outputs: Tensor) -> Tensor:
        """Combine the outputs (B, M, …) of an ensemble's members to (B, …)."""

    @abstractmethod
    def predictions(self, outputs: Tensor) -> list[str | float]:
        """Return the predictions of outputs (B, …) in the user's terms."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean loss, for plain targets or those of `soft_targets`.

        Outputs (B, M, …) are those of ensemble members, which are trained independently.
        """

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each example (B,)."""
        each = range(len(targets))
        return torch.stack([self.loss(outputs[i : i + 1], targets[i : i + 1]) for i in each])

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Return targets that can be averaged."""
        return targets

    def imitated(self, outputs: Tensor) -> Tensor:
        """Return a network's outputs as targets of another one that learns to give the same."""
        return outputs

    def augment(self, inputs: Inputs, section: Any, rng: torch.Generator) -> Inputs:
        """Return training inputs after random augmentation; `rng` is on their device."""
        return inputs

    def smaller(self, side: Callable[[int], int]) -> tuple[Self, Resize] | None:
        """Return the task on maps with sides `side(current)`, and a function to resize inputs; None if impossible."""
        return None

    @abstractmethod
    def running_score(self, device: torch.device) -> RunningScore:
        """Return an empty running score of the objective."""

    @abstractmethod
    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the objective."""

    @abstractmethod
    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Score]:
        """Return all `metrics`, the objective with its 95 % interval."""

    @abstractmethod
    def difference(self, outputs: Tensor, others: Tensor, targets: Tensor) -> tuple[float, Interval]:
        """Return the difference in the objective between two sets of outputs on the same examples, and its interval."""

    def scorer(self, outputs: Tensor, targets: Tensor) -> Callable[[NDArray[np.int64]], float]:
        """Return a function that computes the objective on examples of given rows, which may repeat."""

        def score(rows: NDArray[np.int64]) -> float:
            chosen = torch.from_numpy(rows)
            return self.score(outputs[chosen], targets[chosen])

        return score

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor | None:
        """Return bool (B,), which outputs are right, where the objective is the share of them; otherwise None."""
        return None

    def tables(self, outputs: Tensor, targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return tables with more details about a network's outputs."""
        return ()

    def compared(self, outputs: Mapping[str, Tensor], targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return tables that compare the outputs of all networks and models, by name, in detail."""
        return ()

    def target_counts(self, targets: Tensor) -> Mapping[str, int]:
        """Return how many examples have each target, in order, if targets are whole numbers; otherwise nothing."""
        if targets.is_floating_point() or targets.ndim > 1:
            return {}
        values, counts = torch.unique(targets, return_counts=True)
        return {
            self.format_target(value): count for value, count in zip(values, counts.tolist(), strict=True)
        }

    def format_target(self, target: Tensor) -> str:
        """Return one example's target as text."""
        return str(target.tolist())

    def picture(self, inputs: Inputs) -> bytes | None:
        """Return a PNG of one example's raw inputs (…), or None if there is no such picture."""
        return None

    def wrong_outputs(self, outputs: Tensor, targets: Tensor) -> Iterator[tuple[int, str]]:
        """Yield the index and description of each wrong output, the worst first."""
        yield from ()

    def reliability(self, outputs: Tensor, targets: Tensor) -> list[tuple[float, float, int]]:
        """Return mean confidence, accuracy and size of each bin of confidence, if the task has classes."""
        return []

    def confusion(self, outputs: Tensor, targets: Tensor) -> Confusion | None:
        """Return the confusion matrix, if the task has classes."""
        return None

    def hand_designed(self, name: str, params: int) -> Mapping[str, Any]:
        """Return the settings of a hand-designed network with about `params` parameters."""
        raise NotImplementedError(f"{self.kind} has no network {name!r}")

    def build_hand_designed(self, name: str, settings: Mapping[str, Any]) -> nn.Module:
        """Return a hand-designed network with initial weights."""
        raise NotImplementedError(f"{self.kind} has no network {name!r}")

    def build_classical(self, name: str, *, seed: int) -> Any:
        """Return an unfitted scikit-learn model, by its name in the section's `classical`."""
        raise NotImplementedError(f"{self.kind} has no classical model {name!r}")

    def classical_features(self, name: str, inputs: Inputs) -> NDArray[Any]:
        """Return the features (N, F) of inputs for a classical model."""
        raise NotImplementedError(f"{self.kind} has no classical model {name!r}")

    @abstractmethod
    def classical_targets(self, targets: Tensor) -> NDArray[Any]:
        """Return the targets for a classical model."""

    @abstractmethod
    def classical_outputs(self, estimator: Any, features: NDArray[Any]) -> NDArray[Any]:
        """Return a fitted classical model's predictions in the form of a network's outputs."""


def read_task(value: Any) -> Task:
    """Read a task from JSON."""
    if isinstance(value, Task):
        return value
    return task_type(value["kind"]).model_validate(value)


AnyTask = Annotated[SerializeAsAny[Task], PlainValidator(read_task)]
"""A task of any kind, as a field of a result."""


def task_type(kind: str) -> type[Task]:
    """Return the class of a task by its kind."""
    return load_class(TASKS.section_type(kind).implementation, Task)  # type: ignore[type-abstract]
