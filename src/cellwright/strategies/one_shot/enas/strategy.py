"""ENAS: Pham et al. 2018, https://arxiv.org/abs/1802.03268."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from cellwright.data.split import Batch
from cellwright.genotype import Genotype
from cellwright.nn.initialising import seeded_initialisation
from cellwright.seeds import derive_seed
from cellwright.strategies.one_shot.base import endless_batches
from cellwright.strategies.one_shot.enas.controller import Controller
from cellwright.strategies.one_shot.enas.section import EnasSection
from cellwright.strategies.one_shot.scoring import restriction
from cellwright.strategies.one_shot.single_path import SinglePath
from cellwright.training import parallel
from cellwright.training.checkpoint import (
    optimizer_tensors,
    prefixed,
    restore_module,
    restore_optimizer,
    unprefixed,
)


class Enas(SinglePath):
    """Trains paths drawn from a controller, and the controller by REINFORCE, with the validation score as reward.

    After each epoch of the weights, the controller draws genotypes. The reward of each is its score on one validation
    batch. Its log-probability is increased in proportion to the reward minus a moving average.
    """

    settings: EnasSection
    num_rounds = 1

    def begin(self) -> None:
        """Create the controller and its optimizer."""
        super().begin()
        with seeded_initialisation(derive_seed(self.seed, "controller")):
            self.controller = Controller(self.space, self.settings.hidden)
        self.controller_optimizer = torch.optim.Adam(
            self.controller.parameters(), lr=self.settings.controller_learning_rate
        )

    def path(self, rng: random.Random) -> Genotype:
        """Draw a path from the controller."""
        return self.controller.draw(rng)

    def candidates(self, number: int, rng: random.Random) -> Sequence[Genotype]:
        """Draw the candidates from the controller."""
        return [self.path(rng) for _ in range(self.settings.candidates)]

    def end_epoch(self, epoch: int) -> dict[str, float]:
        """Train the controller; return its entropy and the mean reward."""
        self.supernet.train()
        rng = random.Random(derive_seed(self.seed, "controller", epoch))
        batches = endless_batches(
            self.data.validation, self.batch_size, seed=derive_seed(self.seed, "rewards"), epoch=epoch
        )
        rewards, entropies = [], []
        for _ in range(self.settings.controller_steps):
            genotypes = [self.controller.draw(rng) for _ in range(self.settings.samples)]
            earned = [self.reward(genotype, next(batches)) for genotype in genotypes]
            rewards += earned
            entropies.append(self.reinforce(genotypes, earned))
        return {
            "reward": sum(rewards) / len(rewards),
            "controller_entropy": sum(entropies) / len(entropies),
        }

    @torch.no_grad()
    def reward(self, genotype: Genotype, batch: Batch) -> float:
        """Return the genotype's score on a validation batch, with the supernet's weights."""
        _, outputs = self.loss(batch, *restriction(self.space, genotype, self.device))
        return self.task.score(parallel.gather(outputs, len(batch[1])), batch[1])

    def reinforce(self, genotypes: Sequence[Genotype], rewards: Sequence[float]) -> float:
        """Update the controller by REINFORCE, and return the mean entropy."""
        baseline = self.notes.get("baseline", sum(rewards) / len(rewards))
        losses, entropies = [], []
        for genotype, reward in zip(genotypes, rewards, strict=True):
            log_probability, entropy = self.controller.assess(genotype)
            losses.append(-(reward - baseline) * log_probability - self.settings.entropy_bonus * entropy)
            entropies.append(entropy.detach())
            decay = self.settings.baseline_decay
            self.notes["baseline"] = baseline = decay * baseline + (1 - decay) * reward
        self.controller_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(losses).mean())
        self.controller_optimizer.step()
        return torch.stack(entropies).mean().item()

    def state(self) -> dict[str, Tensor]:
        """Return weights, controller, and the states of both optimizers."""
        return (
            super().state()
            | prefixed("controller", self.controller.state_dict())
            | prefixed("controller_optimizer", optimizer_tensors(self.controller_optimizer))
        )

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        super().restore(state)
        restore_module(self.controller, unprefixed("controller", state))
        restore_optimizer(self.controller_optimizer, unprefixed("controller_optimizer", state))
