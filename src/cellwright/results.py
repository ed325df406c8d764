"""The files that steps write for people and for later steps: their names, and the schemas of the JSON files."""

import hashlib
import math
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cellwright.errors import CellwrightError
from cellwright.files import file_digest, files_below, model_json, reason_of, write_model, write_text
from cellwright.genotype import GenotypeLine

GENOTYPE = "genotype.json"
"""The architecture that the search found."""
OUTPUTS = "outputs.safetensors"
"""The outputs of each network on the test split."""
PARTS = "parts.safetensors"
"""The weights of the networks that an elastic search found, with the network's name before that of each tensor."""
TARGETS = "targets"
"""Subfolder of `retrain` with a folder for each target of an elastic search but the first."""
NETWORK, WEIGHTS, ONNX, PT2 = "network.json", "model.safetensors", "model.onnx", "model.pt2"
"""The files of a trained network: how it is built, its weights, and two exported formats."""


class Result(BaseModel):
    """A frozen result, stored as a JSON file. Numbers that are not finite are stored as strings."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    FILE: ClassVar[str]
    """Name of the file in a step's folder."""

    def save(self, path: Path) -> None:
        """Write the JSON file atomically; raises CellwrightError if it could not be read back."""
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
"""Name of an attempt to finish a folder in a store: its number, and a random suffix that makes it unique."""


def new_attempt(number: int) -> str:
    """Return a unique name for an attempt."""
    return f"{number:04d}-{secrets.token_hex(4)}"


class InputInfo(Result):
    """One input of a model."""

    name: str
    shape: tuple[int, ...]
    """Shape of one example; a batch adds a leading axis."""
    dtype: str
    meaning: str


class OutputInfo(Result):
    """The output of a model."""

    name: str
    meaning: str


class ModelInfo(Result):
    """`model_info.json`: how to use a model without cellwright. It is part of every export."""

    FILE = "model_info.json"

    cellwright: str
    """The version of cellwright that trained the model."""
    genotype: GenotypeLine
    inputs: tuple[InputInfo, ...]
    """In the order of the model's arguments."""
    columns: tuple[InputInfo, ...] = ()
    """The named columns that `model.onnx` and the MLflow model take instead of `inputs`."""
    output: OutputInfo
    class_names: tuple[str, ...] | None = None
    """Names of the output's columns, in order; None if the task has no classes."""
    label_names: tuple[str, ...] | None = None
    """Names of the output's columns, in order, if each is a label of its own and examples may have several."""
    from_file: dict[str, Any] | None = None
    """How a file is turned into an input, step by step; None if the data source holds arrays."""
    task: dict[str, Any]
    """The properties of the data that networks are built from."""

    @property
    def raw_inputs(self) -> tuple[InputInfo, ...]:
        """Return the inputs of `model.onnx`."""
        return self.columns or self.inputs


class EpochRecord(Result):
    """The metrics of one epoch."""

    epoch: int
    metrics: dict[str, float]


class FileRecord(Result):
    """Size and digest of a file."""

    size: int
    """In bytes."""
    sha256: Sha256

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the record of a file; raises CellwrightError naming the file."""
        return cls(sha256=file_digest(path), size=path.stat().st_size)


class FolderRecord(Result):
    """`finished.json`: marks a folder as finished and lists its files.

    The record includes a digest of its own text, and loading fails if that does not match.
    """

    FILE = "finished.json"

    seal: Sha256 = UNSEALED
    """SHA-256 of the record's text, computed with zeros in this field."""
    attempt: Annotated[str, Field(pattern=ATTEMPT)] = Field(default_factory=lambda: new_attempt(1))
    """The attempt that finished the folder. In a store, the files are in the folder of this name beside the record; on
    a single machine, they are beside the record itself.
    """
    files: dict[str, FileRecord]
    """The files, by their paths relative to the folder."""

    @classmethod
    def files_of(cls, folder: Path) -> dict[str, FileRecord]:
        """Return the records of all files in a folder, except for this one."""
        files = {file.relative_to(folder).as_posix(): file for file in files_below(folder)}
        return {name: FileRecord.of(file) for name, file in sorted(files.items()) if name != cls.FILE}

    def save(self, path: Path) -> None:
        """Seal the record and write it atomically; raises CellwrightError if it could not be read back."""
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
    def parse(cls, content: bytes, location: str) -> Self:
        """Parse the content of the JSON file; raises CellwrightError naming `location`."""
        try:
            record = cls.model_validate_json(content)
        except ValueError as error:
            raise CellwrightError(f"{location} must hold a {cls.__name__}: {reason_of(error)}") from error
        seal = record.seal.encode()
        if hashlib.sha256(content.replace(seal, UNSEALED.encode(), 1)).hexdigest() != record.seal:
            raise CellwrightError(
                f"{location} must hold a {cls.__name__}: its text must have the SHA-256 that is its seal, and has "
                "another: the file is damaged"
            )
        return record

    def wrong(self, folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[str]:
        """Yield one sentence for each wanted file in the folder that differs from its record."""
        for name, file in self.files.items():
            if wanted(name) and (folder / name).exists() and (found := FileRecord.of(folder / name)) != file:
                yield different(f"{folder / name}", file, found)

    def incomplete(self, folder: Path) -> Iterator[str]:
        """Yield one sentence for each file that is missing in the folder or has another size; reads no file."""
        for name, file in self.files.items():
            path = folder / name
            size = path.stat().st_size if path.exists() else None
            if size != file.size:
                has = "is not there" if size is None else f"has {size}"
                yield f"{path} must have {file.size} bytes, as its record says, and {has}"


def different(location: str, recorded: FileRecord, found: FileRecord) -> str:
    """Return the message for a file that differs from its record."""
    return (
        f"{location} must have {recorded.size} bytes with the SHA-256 {recorded.sha256}, as its record says, and has "
        f"{found.size} with {found.sha256}: the file is damaged"
    )


StepName = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
StepKey = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class InputRecord(Result):
    """One input of a step."""

    key: StepKey
    seal: Sha256
    """Seal of the input's record, which has the digests of its files and the seals of its own inputs. The seals form a
    chain that ends at the data.
    """


class StepRecord(FolderRecord):
    """`step.json`: marks the folder of a step as finished, and lists its files and inputs."""

    FILE = "step.json"

    step: StepName
    key: StepKey
    inputs: dict[StepName, InputRecord]
    settings: Any
    """The settings that the result depends on: parts of the spec, and the files outside that it names."""
    version: str
    seconds: float
    gpus: int = 0
    """Number of GPUs that the step, and its trials, could use at a time."""

    @property
    def hours(self) -> float:
        """Return the hours that the step took, those of each GPU if it had several."""
        return self.seconds * max(1, self.gpus) / 3600


History = TypeAdapter(tuple[EpochRecord, ...])


class FrontMember(Result):
    """An architecture on the Pareto front: no other is better in every objective."""

    genotype: GenotypeLine
    tuned: dict[str, Any] = {}
    """Values of the searched hyperparameters."""
    metrics: dict[str, float]
    """Validation metrics, averaged over the fresh seeds."""


class RacedNetwork(Result):
    """One network of a race: a row of its leaderboard."""

    name: str
    genotype: GenotypeLine
    step_ms: float
    """Milliseconds of a training step, measured or estimated before the race."""
    epochs: float
    """Number of epochs that the whole budget would pay for."""
    share: float
    """Share of the budget that the network used in the race."""
    loss: float | None
    """Validation loss of the averaged weights at the last comparison; None if the race did not train the network."""
    score: float | None
    """The task's objective at the last comparison."""
    p_better: float | None
    """Probability that the network would have ended better than the winner; None for the winner, or if nothing was
    compared.
    """
    outcome: str
    """How the race ended for this network."""
    curve: tuple[tuple[float, float], ...] = ()
    """At each comparison, the share of the budget that the network had used, and its validation loss."""


class RaceResult(Result):
    """The result of a race, and how the winner's training continues."""

    sentence: str
    """Why the winner was chosen."""
    steps: int
    """Total number of training steps of the winner."""
    done: int
    """Number of training steps that the winner has done in the race."""
    precision: Literal["float32", "bfloat16"]
    leaderboard: tuple[RacedNetwork, ...]
    """All networks of the race, the winner first."""


class TargetedNetwork(Result):
    """The network that an elastic search found for one target."""

    name: str
    """`found` for the first target, otherwise the metric and the limit."""
    limit: float
    cost: float
    """What the search took for its cost: counted, or for a latency, expected, with its usual error."""
    genotype: GenotypeLine
    loss: float
    score: float
    """The task's objective on the validation examples that parts were compared on."""


class ElasticResult(Result):
    """The networks that were cut out of one elastic network."""

    metric: Literal["latency_ms", "params", "macs"]
    """What the targets limit."""
    name: str
    """Of the largest network."""
    largest: GenotypeLine
    steps: int
    """Training steps of the largest network."""
    alone: int
    """Steps in which it was trained alone."""
    precision: Literal["float32", "bfloat16"]
    num_scored: int
    """Parts that were compared."""
    num_examples: int
    """Validation examples that they were compared on."""
    networks: tuple[TargetedNetwork, ...]
    """In the order of the spec's targets."""


class Alphas(Result):
    """The architecture parameters of one group of decisions, such as the edges of one kind of cell, by epoch."""

    group: str
    probabilities: tuple[tuple[tuple[float, ...], ...], ...]
    """The probabilities of the choices, (epochs, decisions, choices)."""

    def entropies(self, epoch: int) -> list[float]:
        """Return the entropy of each decision, from 1 for uniform choices to 0 for certain ones.

        Args:
            epoch: index of the epoch: 0 for the first, -1 for the last.
        """
        return [
            min(1.0, sum(-p * math.log(p) for p in row if p > 0) / math.log(max(2, len(row))))
            for row in self.probabilities[epoch]
        ]


def entropy(groups: Iterable[Alphas], epoch: int) -> float:
    """Return the mean entropy of all decisions after an epoch: 0 for the first, -1 for the last."""
    return fmean(one for alphas in groups for one in alphas.entropies(epoch))


UNDECIDED = 0.95
"""Mean entropy above which alphas count as undecided. With 8 choices it means a highest probability of about 0.28."""
LUCKY = 0.25
"""Share of random architectures that must match the derived one for the search to count as luck."""


class Decidedness(Result):
    """How much a one-shot search decided."""

    alphas: tuple[Alphas, ...] = ()
    """Empty if the genotype is not derived from alphas."""
    derived: float
    """The task's objective on validation examples, of the supernet restricted to the derived genotype."""
    random: tuple[float, ...]
    """The same for random genotypes."""

    def sentences(self) -> Iterator[str]:
        """Yield a message with the entropies, and warnings if the search decided too little."""
        if self.alphas:
            groups = ", ".join(
                f"{one.group} {fmean(one.entropies(0)):.3f} to {fmean(one.entropies(-1)):.3f}"
                for one in self.alphas
            )
            yield f"mean entropy of the alphas (1: all choices equal), first to last epoch: {groups}"
            if (last := entropy(self.alphas, -1)) > UNDECIDED:
                yield (
                    f"warning: the alphas decided almost nothing, their entropy is {last:.3f}; give the search more "
                    "epochs (budget.epochs) or a higher strategy.alpha_learning_rate"
                )
        as_good = sum(score >= self.derived for score in self.random)
        if self.random and as_good >= LUCKY * len(self.random):
            yield (
                f"warning: the search may have found nothing: with the supernet's weights {as_good} of "
                f"{len(self.random)} random architectures score at least as high on validation as the derived one, "
                f"{self.derived:.4f}"
            )


class TrialSummary(Result):
    """One evaluation of a sampled search."""

    name: str
    state: str
    reason: str | None = None
    """Why it failed, was rejected or was stopped early."""
    seconds: float = 0.0
    metrics: dict[str, float] = {}
    curve: tuple[float, ...] = ()
    """The first objective's metric after each epoch."""


class SearchResult(Result):
    """The result of a search."""

    FILE = "search.json"

    genotype: GenotypeLine
    tuned: dict[str, Any] = {}
    """Values of the searched hyperparameters, which the found network and its baselines are retrained with."""
    score: float | None
    """The task's objective on the validation split. For a one-shot search, of the supernet in the genotype's epoch. For
    a sampled search, of the genotype after short training, averaged over fresh seeds; None if the search has other
    objectives.
    """
    epoch: int | None = None
    """The epoch of a one-shot search that gave the genotype, counted from 1."""
    seconds: float
    history: tuple[EpochRecord, ...]
    """One entry per epoch, or per evaluation of a sampled search with the best score so far."""
    events: tuple[str, ...] = ()
    """Messages of guards and budgets that took effect."""
    decidedness: Decidedness | None = None
    """None for sampled searches."""
    race: RaceResult | None = None
    """None for strategies other than `race`."""
    elastic: ElasticResult | None = None
    """None for strategies other than `elastic`."""
    front: tuple[FrontMember, ...] = ()
    """The Pareto front of a sampled search's finalists, sorted by the first objective, the best first."""
    trials: tuple[TrialSummary, ...] = ()
    """All evaluations of a sampled search, also those that were rejected or failed, and those on fresh seeds."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return the messages of the search: its events, and how much it decided."""
        return (*self.events, *(self.decidedness.sentences() if self.decidedness else ()))


class WeightsStart(Result):
    """The pretrained weights that a training started from."""

    source: str
    """The version of a registered model, or a path."""
    taken: tuple[str, ...]
    """Names of the tensors that were loaded."""
    left: tuple[str, ...]
    """Names of the tensors that were not loaded, since the network has none with that name and shape."""
    new: tuple[str, ...]
    """Names of the network's tensors that were initialised at random."""


class TrainingResult(Result):
    """The result of training one network from scratch."""

    FILE = "training.json"

    name: str
    """`found`, `random-N`, or the name of a hand-designed network."""
    genotype: GenotypeLine | None
    """None for a hand-designed network."""
    params: int
    """Number of trainable parameters."""
    macs: int
    """Multiply-accumulates for one example."""
    seconds: float
    history: tuple[EpochRecord, ...]
    start: WeightsStart | None = None
    """The pretrained weights; None if training started from scratch."""


class Interval(Result):
    """A 95 % confidence interval."""

    low: float
    high: float


class Score(Result):
    """The score of one network by one metric."""

    value: float
    direction: Literal["maximize", "minimize"] = "maximize"
    interval: Interval | None = None


class ScoreTable(Result):
    """A table with more detailed scores."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]
    is_curve: bool = False
    """Whether all columns are numbers, which are drawn over the first."""


class Confusion(Result):
    """A confusion matrix."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """Rows are true classes, columns predicted ones."""


class LatencyResult(Result):
    """Latency of a warm forward pass, in milliseconds."""

    batch_size: int
    median_ms: float
    p95_ms: float


class ModelScore(Result):
    """The scores of one network on the test split."""

    name: str
    genotype: GenotypeLine | None
    metrics: dict[str, Score]
    """The metrics by name, the task's objective first."""
    params: int | None = None
    macs: int | None = None
    latency: tuple[LatencyResult, ...] = ()
    """Empty for models that are not networks."""


class Comparison(Result):
    """The difference between the found network and a baseline in the task's objective, on the same examples."""

    baseline: str
    difference: float
    interval: Interval

    @property
    def excludes_zero(self) -> bool:
        """Return whether the difference is larger than the noise of the examples."""
        return self.interval.low > 0 or self.interval.high < 0


class EvaluationResult(Result):
    """The result of `evaluate`."""

    FILE = "evaluation.json"

    split: Literal["test"] = "test"
    num_examples: int
    objective: str
    """The metric that networks are compared by."""
    device: str
    """The device that latencies were measured on."""
    found: ModelScore
    targets: tuple[ModelScore, ...] = ()
    """The networks that an elastic search found for the other targets."""
    baselines: tuple[ModelScore, ...]
    comparisons: tuple[Comparison, ...]
    tables: tuple[ScoreTable, ...] = ()
    """Tables of the found network."""
    confusion: Confusion | None = None
    """Confusion matrix of the found network; None if the task has no classes."""

    @property
    def scores(self) -> tuple[ModelScore, ...]:
        """Return the scores of all networks and models, the found network's first."""
        return (self.found, *self.targets, *self.baselines)

    @property
    def winner(self) -> ModelScore:
        """Return the best of the found network and its baselines by the objective; the found network wins a tie."""
        return max((self.found, *self.baselines), key=lambda score: score.metrics[self.objective].value)


class PairedComparison(Result):
    """A new version against the champion by the task's objective, on the same examples."""

    test: Literal["mcnemar", "bootstrap"]
    difference: float
    """By how much the new version is better."""
    low: float
    """What the difference is above, at the level of this look."""
    p_value: float
    """How probable so large a difference is where the new version is not better."""


class GateCheck(Result):
    """One thing that a version must fulfil."""

    passed: bool
    sentence: str


class GateDecision(Result):
    """`gate.json`: whether a new version may become the champion, and why."""

    FILE = "gate.json"

    passed: bool
    champion: int | None
    """The version that it was compared with; None where there was none."""
    test_set: Sha256
    """Of the test examples."""
    num_examples: int
    look: int
    """How many versions were compared on this test set, this one included."""
    level: float
    """The part of `gate.level` that this look has."""
    comparison: PairedComparison | None = None
    checks: tuple[GateCheck, ...]
    remarks: tuple[str, ...] = ()
    """What people should know who rely on the decision."""

    @property
    def sentence(self) -> str:
        """Say what was decided, and why."""
        failed = [check.sentence for check in self.checks if not check.passed]
        reasons = failed or [check.sentence for check in self.checks]
        return f"{'passed' if self.passed else 'refused'}: {'; '.join(reasons)}"


class PastModel(Result):
    """One version of a registered model."""

    version: int
    when: str
    """When it was registered, in UTC, as ISO 8601 has it."""
    action: str
    """How it was made: `search` or `retrain`."""
    reasons: tuple[str, ...] = ()
    """Which reasons of a policy asked for it."""
    passed: bool | None = None
    """Whether it passed the gate; None where there was none."""
    score: float | None = None
    """The task's objective on its test split, and the 95 % interval."""
    low: float | None = None
    high: float | None = None
    hours: float | None = None
    """What its run took."""


class ChampionMove(Result):
    """When which version became the champion."""

    kind: str
    version: int
    when: str
    who: str
    why: str


class ModelHistory(Result):
    """`history.json`: the versions of a registered model, as of the registration of the last one."""

    FILE = "history.json"

    name: str
    objective: str
    versions: tuple[PastModel, ...]
    """The oldest first."""
    moves: tuple[ChampionMove, ...]
    """Likewise."""


class RegistrationResult(Result):
    """Where `register` stored the model."""

    FILE = "registered.json"

    name: str
    version: int
    alias: str | None
    """`champion` or `challenger`; None if a newer version has taken it."""
    uri: str
    """The URI for `mlflow.pyfunc.load_model`: `models:/NAME@ALIAS`."""
    tracking_uri: str
    mlflow_run_id: str
    gate: str | None = None
    """What the gate decided and why; None where the spec has no gate."""
