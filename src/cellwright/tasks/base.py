"""What every task is: all that loops, strategies, estimators and steps know of inputs and targets."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import torch
from numpy.typing import NDArray
from pydantic import PlainValidator, SerializeAsAny
from torch import Tensor, nn

from cellwright import __version__
from cellwright.data import Source, SplitName
from cellwright.data.manifest import ArrayForm
from cellwright.data.split import Inputs
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
    """The objective over the batches of an epoch, which are seen once."""

    @abstractmethod
    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch, without waiting for the device."""

    @abstractmethod
    def value(self) -> float:
        """Return the objective over all that was added."""


class Task(Result, ABC):
    """What comes in and what is predicted, with what networks must know of the data; kept as JSON beside weights.

    A network is an adapter (from raw inputs to a feature map), a body (what the space says) and a head. Outputs are
    what the head gives, (B, …). The first of `metrics` is the objective of searches: at most 1, more being better.
    """

    metrics: ClassVar[tuple[str, ...]]
    """What outputs are scored by, the objective first."""
    output_name: ClassVar[str]
    """What exports call the network's output."""
    output_meaning: ClassVar[str]
    """What the output is, for people who have an export."""

    embeddings: ClassVar[tuple[str, ...]] = ("plain",)
    """The ways that the task has to bring raw inputs to a feature map, the first by default."""

    kind: str
    """The task's name in the spec's families, or the import path of its section."""
    input_names: tuple[str, ...]
    """What the inputs are called, in the order in which networks take them."""
    map_shape: tuple[int, int, int]
    """Channels, height and width of the feature map that the adapter gives; a signal has height 1."""

    @classmethod
    @abstractmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task of a source; statistics are those of the training split alone."""

    def weighted(self, section: DataSection, train: Part) -> Self:
        """Return the task with how much the section says that examples count; most sections do not say."""
        return self

    @classmethod
    def check(cls, source: Source, section: DataSection) -> None:
        """Raise DataError, naming the rule, where a source's targets cannot be used."""

    @classmethod
    def remarks(cls, source: Source) -> Iterator[str]:
        """Yield what people should know of a source's targets, a line each."""
        yield from ()

    @classmethod
    @abstractmethod
    def strata(cls, source: Source) -> Strata:
        """Return a number for each example that is to be split; of each number every split gets its share."""

    @classmethod
    def check_splits(cls, source: Source, parts: Mapping[SplitName, Part]) -> None:
        """Raise DataError where a split, with duplicates dropped, cannot be used."""

    def warnings(self, source: Source, parts: Mapping[SplitName, Part]) -> Iterator[str]:
        """Yield what people should know of how inputs and targets belong together, such as leaks, a line each."""
        yield from ()

    def encode(self, source: Source, part: Part) -> Part:
        """Return the part as it is kept, where that is not as the source has it."""
        return part

    @property
    def objective(self) -> str:
        """Return the metric that searches maximise."""
        return self.metrics[0]

    @property
    @abstractmethod
    def summary(self) -> str:
        """Say in a few words what comes in and what is predicted."""

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Return how many numbers the head gives for each example."""

    def input_meaning(self, name: str) -> str:
        """Say what an input is, for people who have an export."""
        return "as in the data"

    def model_info(self, inputs: Mapping[str, ArrayForm], genotype: Genotype) -> ModelInfo:
        """Return what every export of a network says about itself.

        Args:
            inputs: what one example's inputs look like, by name.
            genotype: the network's.
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
        """Yield the examples of a file that people have, each with its name, as inputs (1, …) for prediction.

        Args:
            file: on this machine.
            info: what the model takes.

        Returns:
            In place of inputs, what is wrong with one example of several.

        Raises:
            DataError: the file cannot be read; names the rule.
        """
        if file.suffix not in ARRAYS:
            raise DataError(f"{file}: must be {' or '.join(ARRAYS)}")
        yield from array_examples(file, info.inputs)

    def answer(self, output: Tensor) -> dict[str, Any]:
        """Return what an output (…) says of its example, as JSON, the most important first."""
        return {self.output_name: output.tolist()}

    def front(self) -> Front | None:
        """Return what brings inputs as people have them to those of networks, where tensors cannot hold them."""
        return None

    @abstractmethod
    def adapter(self) -> nn.Module:
        """Return the module that brings raw inputs to a feature map of `map_shape`; it is part of what is exported."""

    def embedding(self, name: str) -> nn.Module:
        """Return the adapter of one of `embeddings`."""
        return self.adapter()

    def head(self, num_features: int) -> nn.Module:
        """Return the module that brings features (B, F) to outputs."""
        return nn.Linear(num_features, self.num_outputs)

    @abstractmethod
    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return inputs of zeros, as loops give them to networks."""

    @abstractmethod
    def combine(self, outputs: Tensor) -> Tensor:
        """Return the outputs (B, …) of an ensemble, from those (B, M, …) of its members."""

    @abstractmethod
    def predictions(self, outputs: Tensor) -> list[str | float]:
        """Return what outputs (B, …) predict, as people name it."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean loss for targets as they are, or as `soft_targets` gives them.

        Outputs (B, M, …) are those of members that learn side by side, each on its own.
        """

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each example (B,)."""
        each = range(len(targets))
        return torch.stack([self.loss(outputs[i : i + 1], targets[i : i + 1]) for i in each])

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Return targets that can be averaged."""
        return targets

    def augment(self, inputs: Inputs, section: Any, rng: torch.Generator) -> Inputs:
        """Return training inputs with random changes; `rng` is on their device."""
        return inputs

    def smaller(self, side: Callable[[int], int]) -> tuple[Self, Resize] | None:
        """Return the task on maps whose sides are `side(of now)`, and what brings inputs there; None if it cannot."""
        return None

    @abstractmethod
    def running_score(self, device: torch.device) -> RunningScore:
        """Return the objective, to be fed batch by batch."""

    @abstractmethod
    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the objective."""

    @abstractmethod
    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Score]:
        """Return each of `metrics`, the objective with its 95 % interval."""

    @abstractmethod
    def difference(self, outputs: Tensor, others: Tensor, targets: Tensor) -> tuple[float, Interval]:
        """Return by how much the first outputs are better by the objective on the same examples, and its interval."""

    def tables(self, outputs: Tensor, targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return what else people should see of a network's outputs."""
        return ()

    def spell(self, target: Tensor) -> str:
        """Return one example's target for people."""
        return str(target.tolist())

    def picture(self, inputs: Inputs) -> bytes | None:
        """Return a PNG of one example's raw inputs (…), None where it cannot be seen."""
        return None

    def mistakes(self, outputs: Tensor, targets: Tensor) -> Iterator[tuple[int, str]]:
        """Yield the row of each wrong output and what is wrong, the worst first."""
        yield from ()

    def confusion(self, outputs: Tensor, targets: Tensor) -> Confusion | None:
        """Return what is taken for what, where the task has classes."""
        return None

    def hand_designed(self, name: str, params: int) -> Mapping[str, Any]:
        """Return the settings with which a hand-designed network has about so many parameters."""
        raise NotImplementedError(f"{self.kind} has no network {name!r}")

    def build_hand_designed(self, name: str, settings: Mapping[str, Any]) -> nn.Module:
        """Return a hand-designed network with new weights."""
        raise NotImplementedError(f"{self.kind} has no network {name!r}")

    def rival(self, name: str, *, seed: int) -> Any:
        """Return a model of scikit-learn that is not fitted, by its name in the section's `classical`."""
        raise NotImplementedError(f"{self.kind} has no rival {name!r}")

    def rival_features(self, name: str, inputs: Inputs) -> NDArray[Any]:
        """Return what a rival reads of inputs, (N, F)."""
        raise NotImplementedError(f"{self.kind} has no rival {name!r}")

    @abstractmethod
    def rival_targets(self, targets: Tensor) -> NDArray[Any]:
        """Return what a rival learns to predict."""

    @abstractmethod
    def rival_outputs(self, estimator: Any, features: NDArray[Any]) -> NDArray[Any]:
        """Return a fitted rival's predictions as networks give them."""


def read_task(value: Any) -> Task:
    """Return the task that JSON of one describes."""
    if isinstance(value, Task):
        return value
    return task_type(value["kind"]).model_validate(value)


AnyTask = Annotated[SerializeAsAny[Task], PlainValidator(read_task)]
"""A task of any kind, as a field of a result."""


def task_type(kind: str) -> type[Task]:
    """Return the class of a task by its kind."""
    return load_class(TASKS.section_type(kind).implementation, Task)  # type: ignore[type-abstract]
