"""Training in parts: at a constant learning rate until a decision is made, then decaying to 0 once.

The training that was done during the search is thus the first part of the final training:
https://arxiv.org/abs/2405.18392.
"""

import copy
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from cellwright.data.split import Split
from cellwright.results import EpochRecord, Result
from cellwright.spec import Retrain, TaskSection
from cellwright.spec.strategy import Precision
from cellwright.tasks.base import Task
from cellwright.training import parallel
from cellwright.training.diverging import require_finite
from cellwright.training.randomness import generator
from cellwright.training.retraining import Retraining, predict
from cellwright.training.stopping import Stopped, sigterm_deferred

WINNER = "winner.safetensors"
"""Name of the checkpoint, in the folder of a search, that the final training continues from."""
SAVE_SECONDS = 10.0
"""Seconds between checkpoints, which is the work that a kill can lose."""
LONGEST_WARM_UP = 50
"""In steps."""


class Course(Result):
    """A learning rate schedule whose length may be decided during training."""

    steps: int
    """Total number of steps, if the whole budget is spent on this network."""
    cool_down: int
    """The step at which the linear decay starts, which ends at 0 in the last step; `steps` for a constant rate."""
    precision: Precision

    def warm_up(self, settings: Retrain) -> int:
        """Return the number of warm-up steps."""
        return min(LONGEST_WARM_UP, round(settings.warmup * self.steps))

    def rate(self, step: int, settings: Retrain) -> float:
        """Return the learning rate of a step, counted from 0, as a fraction of the peak rate."""
        rising = (step + 1) / (self.warm_up(settings) + 1)
        falling = (self.steps - step) / max(1, self.steps - self.cool_down)
        return max(0.0, min(1.0, rising, falling))

    def constant(self) -> "Course":
        """Return the schedule without the decay."""
        return self.model_copy(update={"cool_down": self.steps})


class CourseTraining(Retraining):
    """Trains a network step by step along a course. Its checkpoint may be from an earlier part, on another split.

    The arguments are those of `Retraining`, with the course instead of the settings' epochs and precision.
    """

    def __init__(
        self,
        network: nn.Module,
        split: Split,
        settings: Retrain,
        augment: TaskSection,
        *,
        task: Task,
        seed: int,
        checkpoint: Path,
        course: Course,
    ) -> None:
        self.course = course
        settings = settings.model_copy(update={"precision": course.precision})
        super().__init__(network, split, settings, augment, task=task, seed=seed, checkpoint=checkpoint)

    def train_to(self, steps: int, watch: Callable[[EpochRecord], None] = lambda record: None) -> None:
        """Train up to a total number of steps, report each epoch to `watch`, and save a checkpoint every 10 seconds.

        A process that is asked to stop saves a checkpoint too.

        Raises:
            DivergedError: a loss or weight is not finite.
        """
        try:
            self._train_to(steps, watch)
        except Stopped:
            self.save()
            raise

    def _train_to(self, steps: int, watch: Callable[[EpochRecord], None]) -> None:
        saved = time.monotonic()
        while self.steps < steps:
            began = time.monotonic()
            epoch, index = divmod(self.steps, self.steps_per_epoch)
            losses = self.take(min(steps - self.steps, self.steps_per_epoch - index))
            metrics = {
                "train_loss": parallel.mean(torch.stack(losses).mean()).item(),
                "learning_rate": self.optimizer.param_groups[0]["lr"],
            }
            require_finite(epoch + 1, metrics, self.network.state_dict().values(), lower=self._lower)
            self.seconds += parallel.broadcast(time.monotonic() - began)
            self.history.append(EpochRecord(epoch=len(self.history) + 1, metrics=metrics))
            late = time.monotonic() - saved > SAVE_SECONDS
            if parallel.is_first() and (late or self.steps >= steps):
                self.save()
                saved = time.monotonic()
            watch(self.history[-1])

    def take(self, count: int) -> list[Tensor]:
        """Take up to `count` steps, but not beyond the end of the epoch, and return their losses."""
        epoch, index = divmod(self.steps, self.steps_per_epoch)
        self.network.train()
        batches = self.split.batches(self.batch_size, seed=self.seed, epoch=epoch + 1, first=index)
        losses = []
        for batch in itertools.islice(batches, count):
            with sigterm_deferred():
                losses.append(self._take_step(*batch))
        return losses

    def _take_step(self, inputs: tuple[Tensor, ...], targets: Tensor) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = self.course.rate(self.steps, self.settings) * self.settings.learning_rate
        loss, _ = self._train_batch(
            inputs,
            targets,
            self.steps,
            self.steps / self.course.steps,
            generator(self.seed, "augment", self.steps, device=self.device),
            generator(self.seed, "drop-path", self.steps, device=self.device),
        )
        return loss

    def outputs(self, split: Split) -> Tensor:
        """Return the averaged network's outputs for a split. Training may continue afterwards."""
        return predict(self.averaged(), split)

    def averaged(self) -> nn.Module:
        """Return a copy of the network with the averaged weights, in eval mode. Training may continue afterwards."""
        network = copy.deepcopy(self.network)
        if self.settings.ema_decay is not None:
            network.load_state_dict(self.average, strict=False)
        return network.eval()
