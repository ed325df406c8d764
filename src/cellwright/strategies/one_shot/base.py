"""The base class of one-shot strategies, with their common training loop."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from cellwright.data.split import Batch, Split
from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.importing import load_class
from cellwright.progress import EpochProgress, Progress, Silent
from cellwright.results import Alphas, EpochRecord, SearchResult
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.spec import Budget, OneShotSection, Precision, TaskSection
from cellwright.training import parallel
from cellwright.training.checkpoint import (
    load_tensors,
    optimizer_tensors,
    prefixed,
    restore_module,
    restore_optimizer,
    save_tensors,
    unprefixed,
)
from cellwright.training.diverging import require_finite
from cellwright.training.precision import autocast, channels_last
from cellwright.training.randomness import generator
from cellwright.training.replay import Replayed


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchData:
    """The data of a search: weights are trained on `train`, architectures selected on `validation`. No test split."""

    train: Split
    validation: Split


StepResult = tuple[Tensor, Tensor]
"""The loss on a training batch and its outputs (B, …); with several processes, those of this process's rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervention:
    """A guard's reaction to an epoch."""

    event: str
    """Description for the user."""
    stops: bool
    """Whether the search reverts to the previous epoch and ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """A finished round of the selection."""

    number: int
    """Counted from 1."""
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)


class SearchRecord(BaseModel):
    """The part of a checkpoint that is stored as JSON."""

    history: list[EpochRecord] = []
    events: list[str] = []
    seconds: float = 0.0
    epoch: int = 0
    """The epoch of the checkpoint's tensors."""
    is_over: bool = False
    """Whether training is finished."""
    notes: dict[str, Any] = {}


class OneShotStrategy(ABC):
    """Finds a genotype by training one supernet.

    A subclass defines how to train on a batch, which metrics to watch, and how to derive a genotype. Its own persistent
    state is in `state` (tensors) and `notes` (JSON). `fit` does everything else: the budget, checkpoints and resuming.
    A resumed search repeats the epoch or selection round in which it was killed, so all random numbers must come from
    generators made in `begin`, `begin_epoch` or a round.

    Several processes can search together (`training.parallel`). Each receives whole batches, and `loss` divides them.
    `descend` averages the weights' gradients; a subclass averages others by `parallel.average_gradients`.

    A strategy is usable after its constructor: a notebook can call `train_epoch`, `step`, `watch` and `derive` itself.

    Args:
        settings: the strategy's section of the spec.
        supernet: on the device to search on, built with the section's `mixed_fraction`.
        data: on the same device.
        budget: the budget of the search.
        augment: the augmentation of training inputs.
        seed: seed of all randomness.
        start: alphas of an earlier search to start from, by name; those with another shape are ignored.

    Raises:
        CellwrightError: `start` has alphas, but the strategy has none.
    """

    has_alphas: ClassVar[bool] = False
    """Whether the strategy has architecture parameters, which can be loaded from an earlier search."""
    rate_name: str = "strategy.learning_rate"
    """The key of the spec that sets the learning rate of the weights, for messages."""

    def __init__(
        self,
        settings: OneShotSection,
        supernet: Supernet,
        data: SearchData,
        budget: Budget,
        *,
        augment: TaskSection,
        seed: int,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        if start and not self.has_alphas:
            raise CellwrightError(
                f"start.search must be omitted: strategy.kind {settings.kind} has no alphas to start from"
            )
        self.settings = settings
        self.augment = augment
        self.seed = seed
        self.start = start or {}
        self.notes: dict[str, Any] = {}
        self.supernet = channels_last(supernet)
        self.whole = Replayed(self.supernet, self.settings.cuda_graphs)
        self.space = supernet.space
        self.task = supernet.task
        self.data = data
        self.budget = budget
        self.device = next(supernet.parameters()).device
        self.batch_size = min(self.settings.batch_size, len(data.train))
        self.weights = list(supernet.parameters())
        self.weight_optimizer = torch.optim.SGD(
            self.weights,
            lr=self.settings.learning_rate,
            momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay,
            fused=True,
        )
        if self.settings.momentum:
            # The fused optimizer cannot create momenta one by one, as sampled paths first reach the weights.
            for weight in self.weights:
                self.weight_optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        self.within = self._progress_within(Silent())
        self.begin()
        self.begin_epoch(1)

    def fit(self, checkpoint: Path, progress: Progress) -> SearchResult:
        """Run the search, resuming from the checkpoint if it exists.

        Args:
            checkpoint: the file written after each epoch and each round of selection.
            progress: receives one report per epoch and round.

        Raises:
            DivergedError: a loss, score or state is not finite.
        """
        journal = SearchRecord()
        if parallel.broadcast(checkpoint.exists()):
            journal = self._load(checkpoint)
        parallel.barrier()  # so that rank 0 does not overwrite a file that others still read
        self._train(journal, checkpoint, progress)
        self._select(journal, checkpoint, progress)
        return SearchResult(
            genotype=self.derive(),
            score=journal.history[journal.epoch - 1].metrics[self.validation_score],
            epoch=journal.epoch,
            seconds=journal.seconds,
            history=tuple(journal.history),
            events=tuple(journal.events),
        )

    @property
    def validation_score(self) -> str:
        """Return the name of the task's validation objective in the history."""
        return f"validation_{self.task.objective}"

    @property
    def precision(self) -> Precision:
        """Return the precision of forward passes in training."""
        return self.settings.precision

    @property
    def deciding_alphas(self) -> tuple[Alphas, ...]:
        """Return the choices' probabilities after each epoch if the genotype is derived from them, else nothing."""
        return ()

    @abstractmethod
    def step(self, batch: Batch) -> StepResult:
        """Train on one batch."""

    @abstractmethod
    def watch(self) -> dict[str, float]:
        """Return `validation_score` and other metrics, after an epoch."""

    @abstractmethod
    def derive(self) -> Genotype:
        """Return the genotype that the search has found so far."""

    def begin(self) -> None:  # noqa: B027 - optional
        """Create what the search needs besides the supernet; the constructor calls it last."""

    def begin_epoch(self, epoch: int) -> None:  # noqa: B027 - optional
        """Create the generators and batches for an epoch, counted from 1."""

    def end_epoch(self, epoch: int) -> dict[str, float]:
        """Finish an epoch after its training batches, and return its metrics."""
        return {}

    def intervene(self, record: EpochRecord) -> Intervention | None:
        """Return the reaction to an epoch that went wrong, if any."""
        return None

    def select(self) -> Iterator[Round]:
        """Select a genotype after training. Yields whenever the search can resume from `state` and `notes`."""
        yield from ()

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that the next epoch or round depends on. They are finite unless the search diverged."""
        return prefixed("supernet", self.supernet.state_dict()) | prefixed(
            "weight_optimizer", optimizer_tensors(self.weight_optimizer)
        )

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        restore_module(self.supernet, unprefixed("supernet", state))
        restore_optimizer(self.weight_optimizer, unprefixed("weight_optimizer", state))

    def descend(self, loss: Tensor) -> None:
        """Take a step with the weights; the alphas get gradients too if the loss depends on them."""
        self.backpropagate(loss)
        self.follow_gradients()

    def backpropagate(self, loss: Tensor) -> None:
        """Set the weights' gradients to those of the loss, averaged over the processes."""
        for weight in self.weights:  # ten times as fast as the optimizer's `zero_grad`
            weight.grad = None
        torch.autograd.backward(loss)
        parallel.average_gradients(self.weights)

    def follow_gradients(self) -> None:
        """Take a step with the weights along their current gradients."""
        nn.utils.clip_grad_norm_(self.weights, self.settings.gradient_clip)
        self.weight_optimizer.step()

    def loss(self, batch: Batch, mixture: Mixture, active: Active | None = None) -> StepResult:
        """Return the loss on a batch and its outputs; with several processes, those of this process's rows."""
        inputs, targets = batch
        with parallel.share(len(targets)) as share, autocast(self.precision, self.device):
            rows = tuple(tensor[share.rows] for tensor in inputs)
            outputs = self.whole(rows, mixture) if active is None else self.supernet(rows, mixture, active)
            loss = self.task.loss(outputs, targets[share.rows])
        return share.weight * loss, outputs

    def weight_step(self, batch: Batch, mixture: Mixture, active: Active | None = None) -> StepResult:
        """Take a step with the weights only."""
        loss, outputs = self.loss(batch, mixture, active)
        self.descend(loss)
        return loss.detach(), outputs.detach()

    def training_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield all batches of an epoch, shuffled and augmented reproducibly."""
        rng = generator(self.seed, "augment", epoch, device=self.device)
        for inputs, targets in self.data.train.batches(self.batch_size, seed=self.seed, epoch=epoch):
            yield self.task.augment(inputs, self.augment, rng), targets

    def _train(self, journal: SearchRecord, checkpoint: Path, progress: Progress) -> None:
        total, limit = self.budget.epochs, self.budget.max_seconds
        self.within = self._progress_within(progress)
        if not journal.is_over and len(journal.history) < total:
            self.within.plan(len(journal.history), len(self.data.train))
        for epoch in range(len(journal.history) + 1, total + 1):
            if journal.is_over:
                return
            if limit is not None and journal.seconds >= limit:
                journal.is_over = True
                journal.events.append(
                    f"stopped after {epoch - 1} of {total} epochs: "
                    f"{journal.seconds:.0f} s of {limit:g} s were used"
                )
                return
            began = time.monotonic()
            lower = f"{self.rate_name}, {self.settings.learning_rate:g}"
            try:
                metrics = self.train_epoch(epoch)
            except (ValueError, RuntimeError):  # for example, a distribution whose parameters are NaN
                require_finite(epoch, {}, self.state().values(), lower=lower)
                raise
            require_finite(epoch, metrics, self.state().values(), lower=lower)
            metrics |= self.watch()
            score = {self.validation_score: metrics[self.validation_score]}
            require_finite(epoch, score, lower=lower)
            metrics["generalisation_gap"] = (
                metrics[f"train_{self.task.objective}"] - metrics[self.validation_score]
            )
            journal.seconds += parallel.broadcast(time.monotonic() - began)
            journal.history.append(EpochRecord(epoch=epoch, metrics=metrics))
            self._finish_epoch(journal, checkpoint)
            self._save(journal, checkpoint)
            progress.advance("search", epoch, total, metrics)

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch, and return its metrics."""
        factor = 0.5 * (1 + math.cos(math.pi * (epoch - 1) / self.budget.epochs))
        self.set_learning_rate(factor * self.settings.learning_rate)
        self.supernet.train()
        self.begin_epoch(epoch)
        losses, score = [], self.task.running_score(self.device)
        for number, batch in enumerate(self.training_batches(epoch), start=1):
            loss, outputs = self.step(batch)
            losses.append(loss)
            score.add(parallel.gather(outputs, len(batch[1])), batch[1])
            self.within.step(epoch, number)
        train_loss = parallel.mean(torch.stack(losses).mean())
        metrics = {"train_loss": train_loss.item(), f"train_{self.task.objective}": score.value()}
        return metrics | self.end_epoch(epoch)

    def _progress_within(self, progress: Progress) -> EpochProgress:
        batches = len(self.data.train) // self.batch_size
        return EpochProgress(progress, "search", epochs=self.budget.epochs, batches=batches)

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of the weights."""
        for group in self.weight_optimizer.param_groups:
            group["lr"] = rate

    def _finish_epoch(self, journal: SearchRecord, checkpoint: Path) -> None:
        """Apply the guard, while the checkpoint still has the previous epoch, the last good one."""
        intervention = self.intervene(journal.history[-1])
        if intervention is not None:
            journal.events.append(intervention.event)
            if intervention.stops:
                journal.is_over = True
                if parallel.broadcast(checkpoint.exists()):
                    self._load(checkpoint)
                    return
        journal.epoch = len(journal.history)

    def _select(self, journal: SearchRecord, checkpoint: Path, progress: Progress) -> None:
        began = time.monotonic()
        for done in self.select():
            now = time.monotonic()
            journal.seconds, began = journal.seconds + now - began, now
            self._save(journal, checkpoint)
            progress.advance("select", done.number, done.total, done.metrics)

    def _save(self, journal: SearchRecord, checkpoint: Path) -> None:
        journal.notes = self.notes
        if parallel.is_first():
            save_tensors(checkpoint, self.state(), journal.model_dump(mode="json"))

    def _load(self, checkpoint: Path) -> SearchRecord:
        state, facts = load_tensors(checkpoint)
        journal = SearchRecord.model_validate(facts)
        self.notes = journal.notes
        self.restore(state)
        return journal


def endless_batches(split: Split, batch_size: int, *, seed: int, epoch: int) -> Iterator[Batch]:
    """Yield shuffled batches forever, passing over the split repeatedly."""
    lap = 0
    size = min(batch_size, len(split))
    while True:
        yield from split.batches(size, seed=seed, epoch=1_000_003 * lap + epoch)
        lap += 1


def build_strategy(
    section: OneShotSection,
    supernet: Supernet,
    data: SearchData,
    budget: Budget,
    *,
    augment: TaskSection,
    seed: int,
    start: Mapping[str, Tensor] | None = None,
) -> OneShotStrategy:
    """Build the strategy of a spec's `strategy` section; the arguments are those of `OneShotStrategy`."""
    strategy = load_class(section.implementation, OneShotStrategy)  # type: ignore[type-abstract]
    return strategy(section, supernet, data, budget, augment=augment, seed=seed, start=start)
