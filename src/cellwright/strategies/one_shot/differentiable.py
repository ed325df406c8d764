"""The base class of strategies that train architecture parameters by gradient descent."""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from cellwright.data.split import Batch
from cellwright.genotype import Genotype
from cellwright.results import Alphas, EpochRecord, entropy
from cellwright.seeds import derive_seed
from cellwright.spaces.supernet import Active, Mixture
from cellwright.spec import AlphaSection
from cellwright.strategies.one_shot.alphas import (
    derive_by_argmax,
    frozen,
    initial_alphas,
    skip_fraction,
    smooth_maximum,
)
from cellwright.strategies.one_shot.base import (
    Intervention,
    OneShotStrategy,
    Round,
    StepResult,
    endless_batches,
)
from cellwright.strategies.one_shot.guard import violations
from cellwright.strategies.one_shot.perturbation import Perturbation
from cellwright.strategies.one_shot.scoring import calibration_inputs, score, score_genotype, some_examples
from cellwright.training import parallel
from cellwright.training.checkpoint import optimizer_tensors, prefixed, restore_optimizer, unprefixed
from cellwright.training.randomness import generator

DIGITS = 4
"""Decimal places of recorded probabilities."""


class Differentiable(OneShotStrategy):
    """Trains alphas by gradient descent, along with the network weights.

    In a bilevel search, each weight step on a training batch follows an alpha step on a validation batch. In a
    single-level search, both learn from the same training batch in one backward pass. Subclasses define how alphas
    weight the choices (`probabilities`, `mixture`), what a training step computes (`sample`), and a penalty on the
    alphas (`regularisation`).
    """

    settings: AlphaSection
    has_alphas = True

    def initial_alphas(self) -> dict[str, nn.Parameter]:
        """Return the alphas of each group of decisions, and other parameters that are trained with them."""
        return initial_alphas(self.space, generator(self.seed, "alphas"), self.device)

    def probabilities(self) -> Mixture:
        """Return the probability of each choice of each decision; rows sum to 1."""
        return {group: self.alphas[group].softmax(dim=1) for group in self.space.decisions}

    def mixture(self) -> Mixture:
        """Return the strength of each choice, for derivation and for the whole supernet."""
        return self.probabilities()

    def sample(self) -> tuple[Mixture, Active | None]:
        """Return mixture and active choices for the next training batch; random numbers come from `self.rng`."""
        return self.mixture(), None

    def representative(self) -> tuple[Mixture, Active | None]:
        """Return mixture and active choices for scores on the validation split."""
        return self.mixture(), None

    def regularisation(self) -> Tensor:
        """Return the penalty that is added to the alphas' loss."""
        return torch.zeros((), device=self.device)

    def begin(self) -> None:
        """Create the alphas, their optimizer, and the state of derivation by perturbation."""
        self.alphas = self.initial_alphas()
        with torch.no_grad():
            for name, alpha in self.alphas.items():
                if name in self.start and self.start[name].shape == alpha.shape:
                    alpha.copy_(self.start[name])
        self.alpha_optimizer = torch.optim.Adam(
            self.alphas.values(),
            lr=self.settings.alpha_learning_rate,
            betas=(0.5, 0.999),
            weight_decay=self.settings.alpha_weight_decay,
        )
        self.perturbation = Perturbation(self.space)
        self.calibration = calibration_inputs(self.data.train, self.seed)

    def begin_epoch(self, epoch: int) -> None:
        """Create the epoch's validation batches and the generator of its samples."""
        self.epoch = epoch
        self.rng = generator(self.seed, "samples", epoch)
        self.validation = endless_batches(
            self.data.validation, self.batch_size, seed=derive_seed(self.seed, "alphas"), epoch=epoch
        )

    def step(self, batch: Batch) -> StepResult:
        """Train alphas and weights, or only the weights during warm-up."""
        if not self.is_warming_up:
            if self.settings.level == "single":
                return self._joint_step(batch)
            self.alpha_step(batch, next(self.validation))
        with torch.no_grad():
            mixture, active = self.sample()
        return self.weight_step(batch, mixture, active)

    @property
    def is_warming_up(self) -> bool:
        """Return whether only the weights are trained in this epoch."""
        return self.epoch <= round(self.settings.warmup * self.budget.epochs)

    def alpha_step(self, training: Batch, validation: Batch) -> None:
        """Take a step with the alphas on the validation loss, without computing the weights' gradients."""
        with frozen(self.weights):
            loss, _ = self.loss(validation, *self.sample())
            self.alpha_optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss + self.penalty())
        self.follow_alpha_gradients()

    def follow_alpha_gradients(self) -> None:
        """Take a step with the alphas along their current gradients, averaged over the processes."""
        parallel.average_gradients(self.alphas.values())
        self.alpha_optimizer.step()

    def penalty(self) -> Tensor:
        """Return the regularisation, plus the one that a guard added."""
        groups = [self.alphas[group] for group in self.space.decisions]
        return self.regularisation() + self.guard_strength * smooth_maximum(groups)

    @property
    def guard_strength(self) -> float:
        """Return the weight of the β regularisation that a guard added."""
        strength: float = self.notes.get("guard_strength", 0.0)
        return strength

    @property
    def alphas_by_epoch(self) -> tuple[Alphas, ...]:
        """Return the choices' probabilities after each epoch."""
        noted = self.notes.get("probabilities", {})
        return tuple(Alphas(group=group, probabilities=epochs) for group, epochs in noted.items())

    @property
    def deciding_alphas(self) -> tuple[Alphas, ...]:
        """Return the choices' probabilities after each epoch, or nothing if perturbation decides."""
        return self.alphas_by_epoch if self.settings.derivation == "argmax" else ()

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> dict[str, float]:
        """Record the choices' probabilities; return the mean entropy of the decisions."""
        noted = self.notes.setdefault("probabilities", {group: [] for group in self.space.decisions})
        for group, rows in self.probabilities().items():
            noted[group].append([[round(p, DIGITS) for p in row] for row in rows.tolist()])
        return {"entropy": entropy(self.alphas_by_epoch, -1)}

    @torch.no_grad()
    def watch(self) -> dict[str, float]:
        """Return metrics that reveal a collapse: validation scores, and those of the alphas and the derived network."""
        split = self.data.validation
        found, loss = score(self.supernet, split, *self.representative(), self.calibration)
        leading = derive_by_argmax(self.space, self.mixture())
        derived = score_genotype(self.supernet, leading, split, self.calibration)
        return {
            self.validation_score: found,
            "validation_loss": loss,
            "skip_fraction": skip_fraction(leading),
            "derivation_drop": found - derived,
        }

    def intervene(self, record: EpochRecord) -> Intervention | None:
        """Apply the guard's action if the epoch exceeds one of its limits."""
        guard = self.settings.guard
        broken = "; ".join(violations(guard, record.metrics))
        if not broken:
            self.notes["good_epoch"] = record.epoch
        if guard.action == "off" or not broken:
            return None
        if guard.action == "stop":
            if last := self.notes.get("good_epoch"):
                end = f"stopped at epoch {last}, the last good one"
            else:
                self.reset_alphas()
                end = "there is no good epoch to return to, so the alphas were reset"
            return Intervention(event=f"epoch {record.epoch}: {broken}; {end}", stops=bool(last))
        strength = self.guard_strength + guard.strength
        self.notes["guard_strength"] = strength
        return Intervention(
            event=f"epoch {record.epoch}: {broken}; raised the β regularisation by {guard.strength:g} "
            f"to {strength:g}",
            stops=False,
        )

    def select(self) -> Iterator[Round]:
        """For derivation by perturbation, make one decision per round, and tune the weights in between."""
        if self.settings.derivation == "argmax":
            return
        split = some_examples(self.data.validation, self.settings.score_examples, self.seed)
        self.set_learning_rate(0.1 * self.settings.learning_rate)
        with torch.no_grad():
            mixture = self.mixture()
        rounds = self.perturbation.rounds(
            mixture,
            score=lambda mixture, active: score(self.supernet, split, mixture, active, self.calibration),
            rng=generator(self.seed, "perturbation"),
        )
        for done in rounds:
            if done.number < done.total:
                self._tune(done.number, *self.perturbation.restricted(mixture))
            yield done

    @torch.no_grad()
    def derive(self) -> Genotype:
        """Return the genotype of the strongest choices, according to perturbation or to the alphas."""
        if self.perturbation.is_done:
            return self.space.derive(self.perturbation.strengths())
        return derive_by_argmax(self.space, self.mixture())

    def state(self) -> dict[str, Tensor]:
        """Return weights, alphas, the states of both optimizers, and decisions made by perturbation."""
        return (
            super().state()
            | prefixed("alphas", self.alphas)
            | prefixed("alpha_optimizer", optimizer_tensors(self.alpha_optimizer))
            | prefixed("perturbation", self.perturbation.state())
        )

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        super().restore(state)
        with torch.no_grad():
            for name, alpha in unprefixed("alphas", state).items():
                self.alphas[name].copy_(alpha)
        restore_optimizer(self.alpha_optimizer, unprefixed("alpha_optimizer", state))
        self.perturbation.restore(unprefixed("perturbation", state))

    @torch.no_grad()
    def reset_alphas(self) -> None:
        """Reset the alphas to their initial values, but keep the weights."""
        for name, alpha in self.initial_alphas().items():
            self.alphas[name].copy_(alpha)
        self.alpha_optimizer.state.clear()

    def _joint_step(self, batch: Batch) -> StepResult:
        """Take a step with weights and alphas on the training loss."""
        loss, outputs = self.loss(batch, *self.sample())
        self.alpha_optimizer.zero_grad(set_to_none=True)
        self.descend(loss + self.penalty())
        self.follow_alpha_gradients()
        return loss.detach(), outputs.detach()

    def _tune(self, number: int, mixture: Mixture, active: Active) -> None:
        self.supernet.train()
        epochs = itertools.count(self.budget.epochs + number)
        batches = itertools.chain.from_iterable(map(self.training_batches, epochs))
        for batch in itertools.islice(batches, self.settings.tuning_steps):
            self.weight_step(batch, mixture, active)
