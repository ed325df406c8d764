"""What every one-shot strategy is, and the loop that they share."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cellwright.data import Split
from cellwright.genotype import Genotype
from cellwright.nn.supernet import Supernet
from cellwright.progress import Progress
from cellwright.results import EpochRecord, SearchResult
from cellwright.spec import Budget
from cellwright.training.checkpoint import load_tensors, save_tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchData:
    """What a search may see: weights learn on `train`, selection looks at `validation`. There is no test split."""

    train: Split
    validation: Split


Batch = tuple[Tensor, Tensor]


class OneShotStrategy(ABC):
    """Finds a genotype by training one supernet.

    A subclass says what one epoch does, what it must remember, and how a genotype is derived; `fit` does the rest:
    the budget, validation, checkpoints and resuming.
    """

    def fit(
        self, supernet: Supernet, data: SearchData, budget: Budget, checkpoint: Path, progress: Progress
    ) -> SearchResult:
        """Search, from the checkpoint on if it is there.

        Args:
            supernet: on the device to search on.
            data: on the same device.
            budget: what the search may cost.
            checkpoint: the file that is written after each epoch.
            progress: told of each epoch.
        """
        self.begin(supernet, data, budget)
        history, seconds, events = self._resume(checkpoint)
        for epoch in range(len(history) + 1, budget.epochs + 1):
            if budget.max_seconds is not None and seconds >= budget.max_seconds:
                break
            began = time.monotonic()
            metrics = self.train_epoch(epoch)
            metrics |= self.watch()
            seconds += time.monotonic() - began
            history.append(EpochRecord(epoch=epoch, metrics=metrics))
            facts = {"history": [r.model_dump() for r in history], "seconds": seconds, "events": events}
            save_tensors(checkpoint, self.state(), facts)
            progress.advance("search", epoch, budget.epochs, metrics)
        if len(history) < budget.epochs:
            events.append(
                f"stopped after {len(history)} of {budget.epochs} epochs: {seconds:.0f} s of "
                f"{budget.max_seconds:g} s were used"
            )
        return SearchResult(
            genotype=self.derive().to_line(),
            validation_accuracy=history[-1].metrics["validation_accuracy"],
            epoch=len(history),
            seconds=seconds,
            history=tuple(history),
            events=tuple(events),
        )

    @abstractmethod
    def begin(self, supernet: Supernet, data: SearchData, budget: Budget) -> None:
        """Make optimizers and whatever else the search needs."""

    @abstractmethod
    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Pass once over the training split; return what was measured."""

    @abstractmethod
    def watch(self) -> dict[str, float]:
        """Return `validation_accuracy`, and what tells a healthy search from a collapsed one."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Return everything that the next epoch depends on."""

    @abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to what `state` returned."""

    @abstractmethod
    def derive(self) -> Genotype:
        """Return the genotype that the search stands at."""

    def _resume(self, checkpoint: Path) -> tuple[list[EpochRecord], float, list[str]]:
        if not checkpoint.exists():
            return [], 0.0, []
        state, facts = load_tensors(checkpoint)
        self.restore(state)
        return [EpochRecord.model_validate(r) for r in facts["history"]], facts["seconds"], facts["events"]


def endless_batches(split: Split, batch_size: int, *, seed: int, epoch: int) -> Iterator[Batch]:
    """Yield shuffled batches, beginning anew whenever the split is used up."""
    lap = 0
    size = min(batch_size, len(split))
    while True:
        yield from split.batches(size, seed=seed, epoch=1_000_003 * lap + epoch)
        lap += 1


@torch.inference_mode()
def accuracy(logits_BK: Tensor, labels_B: Tensor) -> float:
    """Return the share of rows whose largest logit is the label's."""
    return (logits_BK.argmax(dim=1) == labels_B).float().mean().item()
