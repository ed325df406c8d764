"""Trains one network from scratch."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cellwright.data.split import Inputs, Split
from cellwright.errors import DivergedError
from cellwright.nn.dropping import Droppable, kept_paths
from cellwright.progress import EpochProgress, Progress, Silent
from cellwright.results import EpochRecord
from cellwright.spec import Retrain, TaskSection
from cellwright.tasks.base import Task
from cellwright.tasks.mixing import mix_up
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


class Retraining:
    """Trains a network on a split and saves a checkpoint after each epoch. Several processes share each batch.

    Args:
        network: maps raw inputs to outputs; on the device to train on.
        split: the examples, on the same device.
        settings: the training settings.
        augment: the augmentation of inputs.
        task: the task of the network.
        seed: seed of all randomness.
        checkpoint: training resumes from this file if it exists.
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
    ) -> None:
        self.network = channels_last(network)
        self.replayed = Replayed(self.network, settings.cuda_graphs)
        self.split = split
        self.settings = settings
        self.augment = augment
        self.task = task
        self.seed = seed
        self.checkpoint = checkpoint
        self.device = next(network.parameters()).device
        self.batch_size = min(settings.batch_size, len(split))
        self.steps_per_epoch = len(split) // self.batch_size
        self.optimizer = _optimizer(network, settings)
        self.average = {name: tensor.clone() for name, tensor in _averaged(network)}
        self.history: list[EpochRecord] = []
        self.seconds = 0.0
        self.steps = 0
        """Number of steps taken."""
        self.report_within(Silent(), "train")
        self._resume()

    def run(self, task: str, progress: Progress) -> nn.Module:
        """Train the remaining epochs, and return the network with its final weights, in eval mode.

        Raises:
            DivergedError: a loss, weight or final output is not finite; the message names the task.
        """
        self.report_within(progress, task)
        self.within.plan(len(self.history), len(self.split))
        try:
            for record in self.epochs():
                progress.advance(task, record.epoch, self.settings.epochs, record.metrics)
            return self.finished()
        except DivergedError as error:
            raise DivergedError(f"{task}: {error}") from None

    def finished(self) -> nn.Module:
        """End the training, and return the network with its averaged weights, in eval mode.

        Raises:
            DivergedError: an output is not finite.
        """
        if self.settings.ema_decay is not None:
            self.network.load_state_dict(self.average, strict=False)
        outputs = predict(self.network.eval(), self.split[: self.batch_size])
        require_finite(len(self.history), {}, [outputs], of="outputs", lower=self._lower)
        return self.network

    def epochs(
        self, watch: Callable[[nn.Module], dict[str, float]] = lambda network: {}
    ) -> Iterator[EpochRecord]:
        """Train the remaining epochs one by one, and add the metrics that `watch` returns to each epoch's record.

        Raises:
            DivergedError: a loss, weight or metric is not finite.
        """
        for epoch in range(len(self.history) + 1, self.settings.epochs + 1):
            began = time.monotonic()
            metrics = self.train_epoch(epoch)
            require_finite(epoch, metrics, self.network.state_dict().values(), lower=self._lower)
            metrics |= watch(self.network)
            require_finite(epoch, metrics, lower=self._lower)
            self.seconds += parallel.broadcast(time.monotonic() - began)
            self.history.append(EpochRecord(epoch=epoch, metrics=metrics))
            if parallel.is_first():
                self.save()
            yield self.history[-1]

    def report_within(self, progress: Progress, task: str) -> None:
        """Report the progress within epochs of a task."""
        self.within = EpochProgress(progress, task, epochs=self.settings.epochs, batches=self.steps_per_epoch)

    @property
    def _lower(self) -> str:
        return f"retrain.learning_rate, {self.settings.learning_rate:g}"

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch, and return its metrics."""
        self.network.train()
        rng = generator(self.seed, "augment", epoch, device=self.device)
        dropping = generator(self.seed, "drop-path", epoch, device=self.device)
        losses, score = [], self.task.running_score(self.device)
        batches = self.split.batches(self.batch_size, seed=self.seed, epoch=epoch)
        for index, (inputs, targets) in enumerate(batches):
            step = (epoch - 1) * self.steps_per_epoch + index
            self._set_learning_rate(step)
            share = epoch / self.settings.epochs
            loss, outputs = self._train_batch(inputs, targets, step, share, rng, dropping)
            losses.append(loss)
            score.add(outputs, targets)
            self.within.step(epoch, index + 1)
        return {
            "train_loss": parallel.mean(torch.stack(losses).mean()).item(),
            f"train_{self.task.objective}": score.value(),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }

    def _train_batch(
        self,
        inputs: Inputs,
        targets: Tensor,
        step: int,
        share: float,
        rng: torch.Generator,
        dropping: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Take one step at the current learning rate, and return the loss and the outputs, detached.

        Args:
            inputs: inputs of the batch.
            targets: targets of the batch.
            step: number of steps taken before.
            share: fraction of the training that is done; the drop path rate grows with it.
            rng: generator of the augmentation.
            dropping: generator of drop path.
        """
        with torch.no_grad():
            inputs = self.task.augment(inputs, self.augment, rng)
            soft_targets = self.task.soft_targets(targets)
            inputs, soft_targets = mix_up(inputs, soft_targets, self.settings.mixup, rng)
            kept = self._kept_paths(share, len(targets), dropping)
        loss, outputs = self._compute_gradients(inputs, soft_targets, kept, step)
        parallel.average_gradients(self.network.parameters())
        if self.settings.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        self._update_average(step)
        self.steps += 1
        return loss.detach(), parallel.gather(outputs.detach(), len(targets))

    def _compute_gradients(
        self, inputs: Inputs, targets: Tensor, kept: Mapping[str, Tensor], step: int
    ) -> tuple[Tensor, Tensor]:
        """Replace the gradients by those of a batch, and return what `_loss` does."""
        loss, outputs = self._loss(inputs, targets, kept)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        return loss, outputs

    def _loss(self, inputs: Inputs, targets: Tensor, kept: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the loss and the outputs; with several processes, those of this process's rows."""
        with parallel.share(len(targets)) as share, autocast(self.settings.precision, self.device):
            outputs = self.replayed(
                *(tensor[share.rows] for tensor in inputs),
                **{name: kept_PB[:, share.rows] for name, kept_PB in kept.items()},
            )
            loss = self.task.loss(outputs, targets[share.rows], label_smoothing=self.settings.label_smoothing)
        return share.weight * loss, outputs

    def _set_learning_rate(self, step: int) -> None:
        """Warm up linearly, then decay along a cosine."""
        total = self.settings.epochs * self.steps_per_epoch
        warmup = self.settings.warmup * total
        if step < warmup:
            factor = (step + 1) / (warmup + 1)
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.settings.learning_rate

    def _kept_paths(self, share: float, batch_size: int, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Draw the paths to keep, if the network can drop paths."""
        if not isinstance(self.network, Droppable) or self.settings.drop_path == 0:
            return {}
        rate = self.settings.drop_path * share
        return {"kept_PB": kept_paths(self.network.num_paths, batch_size, rate, rng)}

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Update the moving average of the weights, faster in the first steps, when few weights have been averaged."""
        if self.settings.ema_decay is None:
            return
        decay = min(self.settings.ema_decay, (1 + step) / (10 + step))
        names, tensors = zip(*_averaged(self.network), strict=True)
        torch._foreach_lerp_([self.average[name] for name in names], list(tensors), 1 - decay)

    def save(self) -> None:
        """Write the checkpoint."""
        save_tensors(
            self.checkpoint,
            prefixed("network", self.network.state_dict())
            | prefixed("optimizer", optimizer_tensors(self.optimizer))
            | prefixed("average", self.average),
            {
                "history": [record.model_dump() for record in self.history],
                "seconds": self.seconds,
                "steps": self.steps,
            },
        )

    def _resume(self) -> None:
        if not parallel.broadcast(self.checkpoint.exists()):
            return
        tensors, facts = load_tensors(self.checkpoint)
        parallel.barrier()  # so that rank 0 does not overwrite a file that others still read
        restore_module(self.network, unprefixed("network", tensors))
        restore_optimizer(self.optimizer, unprefixed("optimizer", tensors))
        for name, tensor in unprefixed("average", tensors).items():
            self.average[name].copy_(tensor)
        self.history = [EpochRecord.model_validate(record) for record in facts["history"]]
        self.seconds = facts["seconds"]
        self.steps = facts["steps"]


def _averaged(network: nn.Module) -> list[tuple[str, Tensor]]:
    """Return the tensors of the moving average: weights and the norms' statistics, but not their counters."""
    return [(name, tensor) for name, tensor in network.state_dict().items() if tensor.is_floating_point()]


def _optimizer(network: nn.Module, settings: Retrain) -> torch.optim.Optimizer:
    """Return an optimizer with weight decay for convolutions and linear layers, not for norms, biases, embeddings."""
    tables = {module.weight for module in network.modules() if isinstance(module, nn.Embedding)}
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in network.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim > 1 and parameter not in tables else others).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    return torch.optim.SGD(
        groups,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        fused=True,
    )


@torch.inference_mode()
def predict(network: Callable[..., Tensor], split: Split, batch_size: int = 256) -> Tensor:
    """Return the outputs (N, …) for the whole split, in order."""
    return torch.cat([network(*inputs) for inputs, _ in split.ordered_batches(batch_size)])
