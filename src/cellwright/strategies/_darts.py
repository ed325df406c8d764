"""DARTS: Liu et al. 2019, https://arxiv.org/abs/1806.09055, first order."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.genotype import Genotype
from cellwright.nn.supernet import Mixture, Supernet
from cellwright.spec import Augment, Budget, OneShotSection
from cellwright.strategies._alphas import derive_by_argmax, initial_alphas, relative_entropy, skip_fraction
from cellwright.strategies._base import Batch, OneShotStrategy, SearchData, accuracy, endless_batches
from cellwright.training.augmentation import augment_images
from cellwright.training.checkpoint import (
    optimizer_tensors,
    prefixed,
    restore_module,
    restore_optimizer,
    unprefixed,
)
from cellwright.training.precision import channels_last
from cellwright.training.randomness import derive_seed, generator

StepResult = tuple[Tensor, Tensor]
"""The loss on a training batch, and its logits."""

Step = Callable[[Batch], StepResult]


class Darts(OneShotStrategy):
    """Trains alphas by gradient descent beside the network weights.

    In a bilevel search each weight step on a training batch follows an alpha step on a validation batch; in a
    single-level one both learn from the same training batch in one backward pass.

    Args:
        settings: learning rates, batch size and the like.
        augment: what is done to training images.
        seed: all randomness follows from it.
    """

    def __init__(self, settings: OneShotSection, augment: Augment, *, seed: int) -> None:
        self.augment = augment
        self.settings = settings
        self.seed = seed

    def begin(self, supernet: Supernet, data: SearchData, budget: Budget) -> None:
        """Make alphas and both optimizers."""
        self.supernet = channels_last(supernet)
        self.data = data
        self.budget = budget
        self.device = next(supernet.parameters()).device
        self.batch_size = min(self.settings.batch_size, len(data.train))
        self.alphas = initial_alphas(supernet.space, generator(self.seed, "alphas"), self.device)
        self.weights = list(supernet.parameters())
        self.weight_optimizer = torch.optim.SGD(
            self.weights,
            lr=self.settings.learning_rate,
            momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay,
            fused=True,
        )
        self.alpha_optimizer = torch.optim.Adam(
            self.alphas.values(),
            lr=self.settings.alpha_learning_rate,
            betas=(0.5, 0.999),
            weight_decay=self.settings.alpha_weight_decay,
        )

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Pass once over the training split."""
        self.supernet.train()
        self._set_learning_rate(epoch)
        step = self._step_for(epoch)
        losses, correct, seen = [], torch.zeros((), device=self.device), 0
        rng = generator(self.seed, "augment", epoch, device=self.device)
        for x_BCHW, labels_B in self.data.train.batches(self.batch_size, seed=self.seed, epoch=epoch):
            loss, logits_BK = step((augment_images(x_BCHW, self.augment, rng), labels_B))
            losses.append(loss)
            correct += (logits_BK.argmax(dim=1) == labels_B).sum()
            seen += len(labels_B)
        return {"train_loss": torch.stack(losses).mean().item(), "train_accuracy": correct.item() / seen}

    @torch.inference_mode()
    def watch(self) -> dict[str, float]:
        """Return validation accuracy and loss, the entropy of the alphas and the skip fraction."""
        self.supernet.eval()
        mixture = self.mixture()
        split = self.data.validation
        logits_BK = torch.cat([self.supernet(x, mixture) for x, _ in split.ordered_batches(256)])
        return {
            "validation_accuracy": accuracy(logits_BK, split.labels),
            "validation_loss": functional.cross_entropy(logits_BK, split.labels).item(),
            "entropy": relative_entropy(mixture),
            "skip_fraction": skip_fraction(self.derive()),
        }

    def state(self) -> dict[str, Tensor]:
        """Return weights, alphas and both optimizers' states."""
        return (
            prefixed("supernet", self.supernet.state_dict())
            | prefixed("alphas", self.alphas)
            | prefixed("weight_optimizer", optimizer_tensors(self.weight_optimizer))
            | prefixed("alpha_optimizer", optimizer_tensors(self.alpha_optimizer))
        )

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to what `state` returned."""
        restore_module(self.supernet, unprefixed("supernet", state))
        with torch.no_grad():
            for kind, alpha in unprefixed("alphas", state).items():
                self.alphas[kind].copy_(alpha)
        restore_optimizer(self.weight_optimizer, unprefixed("weight_optimizer", state))
        restore_optimizer(self.alpha_optimizer, unprefixed("alpha_optimizer", state))

    def derive(self) -> Genotype:
        """Keep the strongest edges."""
        return derive_by_argmax(self.supernet.space, self.mixture())

    def mixture(self) -> Mixture:
        """Return each edge's softmax over its alphas."""
        return {kind: alpha.softmax(dim=1) for kind, alpha in self.alphas.items()}

    def regularisation(self, epoch: int) -> Tensor:
        """Return what is added to the loss that the alphas descend."""
        return torch.zeros((), device=self.device)

    def _step_for(self, epoch: int) -> Step:
        """Return what to do with each training batch of the epoch."""
        if epoch <= self.settings.warmup_epochs:
            return self._weight_step
        if self.settings.level == "single":
            return lambda batch: self._joint_step(batch, epoch)
        validation = endless_batches(
            self.data.validation, self.batch_size, seed=derive_seed(self.seed, "alphas"), epoch=epoch
        )
        return lambda batch: self._bilevel_step(batch, validation, epoch)

    def _bilevel_step(self, batch: Batch, validation: Iterator[Batch], epoch: int) -> StepResult:
        self._alpha_step(next(validation), epoch)
        return self._weight_step(batch)

    def _alpha_step(self, batch: Batch, epoch: int) -> None:
        """Descend the validation loss with the alphas alone: no weight's gradient is computed."""
        x_BCHW, labels_B = batch
        for weight in self.weights:
            weight.requires_grad_(False)
        loss = functional.cross_entropy(self.supernet(x_BCHW, self.mixture()), labels_B)
        self.alpha_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss + self.regularisation(epoch))
        self.alpha_optimizer.step()
        for weight in self.weights:
            weight.requires_grad_(True)

    def _weight_step(self, batch: Batch) -> StepResult:
        """Descend the training loss with the weights alone."""
        x_BCHW, labels_B = batch
        with torch.no_grad():
            mixture = self.mixture()
        logits_BK = self.supernet(x_BCHW, mixture)
        loss = functional.cross_entropy(logits_BK, labels_B)
        self._descend(loss)
        return loss.detach(), logits_BK.detach()

    def _joint_step(self, batch: Batch, epoch: int) -> StepResult:
        """Descend the training loss with weights and alphas at once."""
        x_BCHW, labels_B = batch
        logits_BK = self.supernet(x_BCHW, self.mixture())
        loss = functional.cross_entropy(logits_BK, labels_B)
        self.alpha_optimizer.zero_grad(set_to_none=True)
        self._descend(loss + self.regularisation(epoch))
        self.alpha_optimizer.step()
        return loss.detach(), logits_BK.detach()

    def _descend(self, loss: Tensor) -> None:
        self.weight_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.weights, self.settings.gradient_clip)
        self.weight_optimizer.step()

    def _set_learning_rate(self, epoch: int) -> None:
        factor = 0.5 * (1 + math.cos(math.pi * (epoch - 1) / self.budget.epochs))
        for group in self.weight_optimizer.param_groups:
            group["lr"] = factor * self.settings.learning_rate
