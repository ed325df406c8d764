"""What steps leave behind for people and for later steps: the names of files, and what is in those of JSON."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cellwright.errors import CellwrightError
from cellwright.files import file_digest, files_below, model_json, reason_of, write_model, write_text
from cellwright.genotype import GenotypeLine

GENOTYPE = "genotype.json"
"""The found architecture."""
OUTPUTS = "outputs.safetensors"
"""What each network gives on the test split."""
NETWORK, WEIGHTS, ONNX, PT2 = "network.json", "model.safetensors", "model.onnx", "model.pt2"
"""A trained network: how it is built, its weights, and the whole of it in two formats."""


class Result(BaseModel):
    """A frozen result that is written to and read from a JSON file; numbers that are not finite are words there."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, ser_json_inf_nan="strings"
    )

    FILE: ClassVar[str]
    """The name of the file in a step's folder."""

    def save(self, path: Path) -> None:
        """Write the JSON file atomically; raises CellwrightError where it could not be read again."""
        write_model(path, self)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the JSON file; raises CellwrightError naming it."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise CellwrightError(f"{path} must hold a {cls.__name__}: {reason_of(error)}") from error


UNSEALED = "0" * 64
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ATTEMPT = r"^[0-9]{4,9}-[0-9a-f]{8}$"
"""The name of an attempt to finish a folder of a store: its number, and what tells it from others of that number."""


def new_attempt(number: int) -> str:
    """Return a name that no other attempt has."""
    return f"{number:04d}-{secrets.token_hex(4)}"


class InputInfo(Result):
    """One of a model's inputs."""

    name: str
    shape: tuple[int, ...]
    """Of one example; a batch has one axis more, the first."""
    dtype: str
    meaning: str


class OutputInfo(Result):
    """A model's output."""

    name: str
    meaning: str


class ModelInfo(Result):
    """`model_info.json`: what people must know who have nothing but a model; it is part of every export."""

    FILE = "model_info.json"

    cellwright: str
    """The version that trained it."""
    genotype: GenotypeLine
    inputs: tuple[InputInfo, ...]
    """In the order in which the model takes them."""
    columns: tuple[InputInfo, ...] = ()
    """What `model.onnx` and MLflow's model take in place of the inputs, by name: columns as people have them."""
    output: OutputInfo
    class_names: tuple[str, ...] | None = None
    """In the order of the output's columns; None where the task has no classes."""
    from_file: dict[str, Any] | None = None
    """How an input is made from a file, in order; None where the data's source holds arrays."""
    task: dict[str, Any]
    """What networks know of the data."""

    @property
    def raw_inputs(self) -> tuple[InputInfo, ...]:
        """Return what `model.onnx` takes."""
        return self.columns or self.inputs


class EpochRecord(Result):
    """What one epoch measured."""

    epoch: int
    metrics: dict[str, float]


class FileRecord(Result):
    """What a file is known by."""

    size: int
    """Bytes."""
    sha256: Sha256

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read the file; raises CellwrightError naming it."""
        return cls(sha256=file_digest(path), size=path.stat().st_size)


class FolderRecord(Result):
    """`finished.json`: says that a folder is finished, and what files it holds.

    The record has a digest of its own text, and is refused where that is another.
    """

    FILE = "finished.json"

    seal: Sha256 = UNSEALED
    """The SHA-256 of the file's text with zeros in this place."""
    attempt: Annotated[str, Field(pattern=ATTEMPT)] = Field(default_factory=lambda: new_attempt(1))
    """The attempt that finished the folder: in a store, the folder beside this record that has the files; on one
    machine they are beside the record."""
    files: dict[str, FileRecord]
    """By their paths in the folder."""

    @classmethod
    def files_of(cls, folder: Path) -> dict[str, FileRecord]:
        """Read the files below a folder, but for this record."""
        files = {file.relative_to(folder).as_posix(): file for file in files_below(folder)}
        return {name: FileRecord.of(file) for name, file in sorted(files.items()) if name != cls.FILE}

    def save(self, path: Path) -> None:
        """Write the JSON file atomically, sealed; raises CellwrightError where it could not be read again."""
        text = model_json(path, self.model_copy(update={"seal": UNSEALED}))
        write_text(path, text.replace(UNSEALED, hashlib.sha256(text.encode()).hexdigest(), 1))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the JSON file; raises CellwrightError naming it."""
        try:
            return cls.parse(path.read_bytes(), str(path))
        except OSError as error:
            raise CellwrightError(f"{path} must hold a {cls.__name__}: {reason_of(error)}") from error

    @classmethod
    def parse(cls, content: bytes, place: str) -> Self:
        """Read the content of the JSON file at a place; raises CellwrightError naming that."""
        try:
            record = cls.model_validate_json(content)
        except ValueError as error:
            raise CellwrightError(f"{place} must hold a {cls.__name__}: {reason_of(error)}") from error
        seal = record.seal.encode()
        if hashlib.sha256(content.replace(seal, UNSEALED.encode(), 1)).hexdigest() != record.seal:
            raise CellwrightError(
                f"{place} must hold a {cls.__name__}: its text must have the SHA-256 that is its seal, and has "
                "another: the file is damaged"
            )
        return record

    def wrong(self, folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[str]:
        """Yield a sentence for each wanted file of the record that is in the folder with other content."""
        for name, file in self.files.items():
            if wanted(name) and (folder / name).exists() and (found := FileRecord.of(folder / name)) != file:
                yield different(f"{folder / name}", file, found)


def different(place: str, recorded: FileRecord, found: FileRecord) -> str:
    """Say that a file is not what its record says."""
    return (
        f"{place} must have {recorded.size} bytes with the SHA-256 {recorded.sha256}, as its record says, and has "
        f"{found.size} with {found.sha256}: the file is damaged"
    )


StepName = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
StepKey = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class InputRecord(Result):
    """An input of a step."""

    key: StepKey
    seal: Sha256
    """Of its record, which has the digests of its files and the seals of its own inputs: a chain down to the data."""


class StepRecord(FolderRecord):
    """`step.json`: says that the folder is finished, what it holds, and what it was made from."""

    FILE = "step.json"

    step: StepName
    key: StepKey
    inputs: dict[StepName, InputRecord]
    settings: Any
    """What of the spec, and of what it names outside itself, the result depends on."""
    version: str
    seconds: float


History = TypeAdapter(tuple[EpochRecord, ...])


class FrontMember(Result):
    """An architecture that no other beats in every objective."""

    genotype: GenotypeLine
    tuned: dict[str, Any] = {}
    """The values of the hyperparameters that were searched."""
    metrics: dict[str, float]
    """On validation, the mean over the fresh seeds that it was scored on."""


class RacedNetwork(Result):
    """One network of a race: a line of its leaderboard."""

    name: str
    genotype: GenotypeLine
    step_ms: float
    """What a training step costs, as measured or told before the race."""
    epochs: float
    """That the whole budget would be enough for."""
    share: float
    """Of the budget, that it had in the race."""
    loss: float | None
    """Of its averaged weights on validation, when it was compared last; None if it was not trained in the race."""
    score: float | None
    """The task's objective of these."""
    p_better: float | None
    """How probable it is that it would have ended better than the winner; None for that, or where nothing was
    compared."""
    outcome: str
    """What became of it."""


class RaceResult(Result):
    """How a race ended, and how the winner's training is continued."""

    sentence: str
    """Why the winner is what it is."""
    steps: int
    """Training steps of the winner in all."""
    done: int
    """Those that it was trained for in the race."""
    precision: Literal["float32", "bfloat16"]
    leaderboard: tuple[RacedNetwork, ...]
    """All that was tried, the winner first."""


class SearchResult(Result):
    """What a search found."""

    FILE = "search.json"

    genotype: GenotypeLine
    tuned: dict[str, Any] = {}
    """The values of the hyperparameters that were searched: what it, and its baselines, are retrained with."""
    score: float | None
    """The task's objective on the validation split: of the supernet in the epoch that the genotype is from, or of the
    genotype after short training, the mean over fresh seeds; None where a sampled search has other objectives."""
    epoch: int | None = None
    """The epoch of a one-shot search that the genotype is from, counted from 1."""
    seconds: float
    history: tuple[EpochRecord, ...]
    """Of epochs, or of the evaluations of a sampled search, each with the best score so far."""
    events: tuple[str, ...] = ()
    """What a guard or a budget did, in words."""
    race: RaceResult | None = None
    """None for other strategies."""
    front: tuple[FrontMember, ...] = ()
    """The finalists of a sampled search that nothing dominates, best by the first objective first."""


class WeightsStart(Result):
    """What a training began with that was trained before."""

    source: str
    """A registered model's version, or a path."""
    taken: tuple[str, ...]
    """Names of the tensors that were taken over."""
    left: tuple[str, ...]
    """Names of those that were not: the network has none of that name and shape."""
    new: tuple[str, ...]
    """Names of the network's own that began from nothing."""


class TrainingResult(Result):
    """What training one network from scratch gave."""

    FILE = "training.json"

    name: str
    """`found`, `random-N`, or that of a hand-designed network."""
    genotype: GenotypeLine | None
    """None for a hand-designed network."""
    params: int
    """Trainable parameters."""
    macs: int
    """Multiply-accumulates of one example."""
    seconds: float
    history: tuple[EpochRecord, ...]
    start: WeightsStart | None = None
    """What it began with; None for a training from nothing."""


class Interval(Result):
    """A 95 % confidence interval."""

    low: float
    high: float


class Score(Result):
    """What one network scored by one metric."""

    value: float
    direction: Literal["maximize", "minimize"] = "maximize"
    interval: Interval | None = None


class ScoreTable(Result):
    """Scores in more detail, as people look at them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


class Confusion(Result):
    """What is taken for what."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """Rows are what is true, columns what is predicted."""


class Latency(Result):
    """Milliseconds of one warm forward pass."""

    batch_size: int
    median_ms: float
    p95_ms: float


class ModelScore(Result):
    """What one network scored on the test split."""

    name: str
    genotype: GenotypeLine | None
    metrics: dict[str, Score]
    """By name, the task's objective first."""
    params: int | None = None
    macs: int | None = None
    latency: tuple[Latency, ...] = ()
    """Sizes and times are those of networks; rivals of another family have none."""


class Comparison(Result):
    """By how much the found network is better than a baseline by the task's objective, on the same examples."""

    baseline: str
    difference: float
    interval: Interval

    @property
    def excludes_zero(self) -> bool:
        """Tell whether the two differ by more than the examples' noise."""
        return self.interval.low > 0 or self.interval.high < 0


class EvaluationResult(Result):
    """What `evaluate` measured."""

    FILE = "evaluation.json"

    split: Literal["test"] = "test"
    num_examples: int
    objective: str
    """The metric that networks are compared by."""
    device: str
    """What latencies were measured on."""
    found: ModelScore
    baselines: tuple[ModelScore, ...]
    comparisons: tuple[Comparison, ...]
    tables: tuple[ScoreTable, ...] = ()
    """Of the found network."""
    confusion: Confusion | None = None
    """Of the found network, where the task has classes."""

    @property
    def winner(self) -> ModelScore:
        """Return what is best by the objective; of equals, the found network."""
        return max((self.found, *self.baselines), key=lambda score: score.metrics[self.objective].value)


class RegistrationResult(Result):
    """Where `register` put the model."""

    FILE = "registered.json"

    name: str
    version: int
    alias: str | None
    """`champion` or `challenger`; None once a newer version took it."""
    uri: str
    """What `mlflow.pyfunc.load_model` takes: `models:/NAME@ALIAS`."""
    tracking_uri: str
    mlflow_run_id: str
