"""Training one image classifier from scratch."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data import Split
from cellwright.progress import Progress
from cellwright.results import EpochRecord
from cellwright.spaces.darts.network import Network, kept_edges
from cellwright.spec import Augment, Retrain
from cellwright.tasks.images.augmentation import augment_images, mix_up
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
from cellwright.training.precision import autocast, channels_last
from cellwright.training.randomness import generator
from cellwright.training.replay import Replayed


class ClassifierTraining:
    """Trains a network on a split, epoch by epoch, with a checkpoint after each; several processes share each batch.

    Args:
        network: takes raw images and returns logits; on the device to train on.
        split: the examples, on the same device.
        settings: how.
        augment: what is done to its images.
        num_classes: how many logits the network returns.
        seed: all randomness follows from it.
        checkpoint: the file that training goes on from, if it is there.
    """

    def __init__(
        self,
        network: nn.Module,
        split: Split,
        settings: Retrain,
        augment: Augment,
        *,
        num_classes: int,
        seed: int,
        checkpoint: Path,
    ) -> None:
        self.network = channels_last(network)
        self.replayed = Replayed(self.network, settings.cuda_graphs)
        self.split = split
        self.settings = settings
        self.augment = augment
        self.num_classes = num_classes
        self.seed = seed
        self.checkpoint = checkpoint
        self.device = next(network.parameters()).device
        self.batch_size = min(settings.batch_size, len(split))
        self.steps_per_epoch = len(split) // self.batch_size
        self.optimizer = _optimizer(network, settings)
        self.average = {name: tensor.clone() for name, tensor in _averaged(network)}
        self.history: list[EpochRecord] = []
        self.seconds = 0.0
        self._resume()

    def run(self, task: str, progress: Progress) -> nn.Module:
        """Train the epochs that are left and return the network with its final weights, in eval mode."""
        for record in self.epochs():
            progress.advance(task, record.epoch, self.settings.epochs, record.metrics)
        if self.settings.ema_decay is not None:
            self.network.load_state_dict(self.average, strict=False)
        self.network.eval()
        return self.network

    def epochs(
        self, watch: Callable[[nn.Module], dict[str, float]] = lambda network: {}
    ) -> Iterator[EpochRecord]:
        """Train the epochs that are left, one by one; what `watch` measures after each joins its record."""
        for epoch in range(len(self.history) + 1, self.settings.epochs + 1):
            began = time.monotonic()
            metrics = self.train_epoch(epoch) | watch(self.network)
            self.seconds += parallel.agreed(time.monotonic() - began)
            self.history.append(EpochRecord(epoch=epoch, metrics=metrics))
            if parallel.is_first():
                self._save()
            yield self.history[-1]

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Pass once over the split; return what was measured."""
        self.network.train()
        rng = generator(self.seed, "augment", epoch, device=self.device)
        dropping = generator(self.seed, "drop-path", epoch, device=self.device)
        losses, correct, seen = [], torch.zeros((), device=self.device), 0
        batches = self.split.batches(self.batch_size, seed=self.seed, epoch=epoch)
        for index, (x_BCHW, labels_B) in enumerate(batches):
            step = (epoch - 1) * self.steps_per_epoch + index
            self._set_learning_rate(step)
            with torch.no_grad():
                x_BCHW = augment_images(x_BCHW, self.augment, rng)
                targets_BK = functional.one_hot(labels_B, self.num_classes).float()
                x_BCHW, targets_BK = mix_up(x_BCHW, targets_BK, self.settings.mixup, rng)
                kept = self._kept_edges(epoch, len(x_BCHW), dropping)
            loss, logits_BK = self._loss(x_BCHW, targets_BK, *kept)
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            parallel.average_gradients(self.network.parameters())
            if self.settings.gradient_clip is not None:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip)
            self.optimizer.step()
            self._update_average(step)
            losses.append(loss.detach())
            correct += (parallel.gather(logits_BK.detach(), len(labels_B)).argmax(dim=1) == labels_B).sum()
            seen += len(labels_B)
        return {
            "train_loss": parallel.mean(torch.stack(losses).mean()).item(),
            "train_accuracy": correct.item() / seen,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }

    def _loss(self, x_BCHW: Tensor, targets_BK: Tensor, *kept_EB: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the logits, of several processes each those of its share."""
        with parallel.share(len(x_BCHW)) as share, autocast(self.settings.precision, self.device):
            logits_BK = self.replayed(x_BCHW[share.rows], *(kept[:, share.rows] for kept in kept_EB))
            loss = functional.cross_entropy(
                logits_BK, targets_BK[share.rows], label_smoothing=self.settings.label_smoothing
            )
        return share.weight * loss, logits_BK

    def _set_learning_rate(self, step: int) -> None:
        """Rise in a straight line while warming up, then fall along a cosine."""
        total = self.settings.epochs * self.steps_per_epoch
        warmup = self.settings.warmup * total
        if step < warmup:
            factor = (step + 1) / (warmup + 1)
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.settings.learning_rate

    def _kept_edges(self, epoch: int, batch_size: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        """Draw which edges a network of cells keeps; others have nothing to drop."""
        if not isinstance(self.network, Network) or self.settings.drop_path == 0:
            return ()
        rate = self.settings.drop_path * epoch / self.settings.epochs
        return (kept_edges(self.network.num_edges, batch_size, rate, rng),)

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Follow the weights, faster in the first steps, when there is little to average."""
        if self.settings.ema_decay is None:
            return
        decay = min(self.settings.ema_decay, (1 + step) / (10 + step))
        names, tensors = zip(*_averaged(self.network), strict=True)
        torch._foreach_lerp_([self.average[name] for name in names], list(tensors), 1 - decay)

    def _save(self) -> None:
        save_tensors(
            self.checkpoint,
            prefixed("network", self.network.state_dict())
            | prefixed("optimizer", optimizer_tensors(self.optimizer))
            | prefixed("average", self.average),
            {"history": [record.model_dump() for record in self.history], "seconds": self.seconds},
        )

    def _resume(self) -> None:
        if not parallel.agreed(self.checkpoint.exists()):
            return
        tensors, facts = load_tensors(self.checkpoint)
        parallel.wait()  # lest the first writes what others have yet to read
        restore_module(self.network, unprefixed("network", tensors))
        restore_optimizer(self.optimizer, unprefixed("optimizer", tensors))
        for name, tensor in unprefixed("average", tensors).items():
            self.average[name].copy_(tensor)
        self.history = [EpochRecord.model_validate(record) for record in facts["history"]]
        self.seconds = facts["seconds"]


def _averaged(network: nn.Module) -> list[tuple[str, Tensor]]:
    """Return what the running average covers: weights and the norms' statistics, not their counters."""
    return [(name, tensor) for name, tensor in network.state_dict().items() if tensor.is_floating_point()]


def _optimizer(network: nn.Module, settings: Retrain) -> torch.optim.Optimizer:
    """Decay convolutions and linear layers; leave norms and biases alone."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
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
def predict(network: Callable[[Tensor], Tensor], split: Split, batch_size: int = 256) -> Tensor:
    """Return logits (N, classes) for the whole split, in order."""
    return torch.cat([network(x_BCHW) for x_BCHW, _ in split.ordered_batches(batch_size)])
