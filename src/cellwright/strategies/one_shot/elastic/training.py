"""The training of an elastic network: the largest network alone, and then together with its parts."""

import random
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cellwright.data.split import Inputs, Split
from cellwright.genotype import Genotype
from cellwright.seeds import derive_seed
from cellwright.spaces.stages.cutting import Cutter
from cellwright.spaces.stages.parts import Parts
from cellwright.spec import Retrain, TaskSection
from cellwright.strategies.one_shot.elastic.section import ElasticSection
from cellwright.tasks.base import Task
from cellwright.training.course import Course, CourseTraining
from cellwright.training.precision import autocast


class ElasticTraining(CourseTraining):
    """Trains a network and its parts, which share its weights.

    After `alone` steps each step is a sandwich (https://arxiv.org/abs/2003.11142): the largest network learns from the
    targets, and the smallest part and a few random ones learn to give its outputs.

    Args:
        section: the section of the strategy.
        parts: the parts of the network.
        alone: the number of steps in which the network is trained alone.
        network: the largest network; this and the others are those of `CourseTraining`.
    """

    def __init__(
        self,
        section: ElasticSection,
        parts: Parts,
        alone: int,
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
        self.section = section
        self.parts = parts
        self.alone = alone
        self.smallest = parts.smallest()
        self.cutter = Cutter(task, parts.largest)
        super().__init__(
            network, split, settings, augment, task=task, seed=seed, checkpoint=checkpoint, course=course
        )

    def trained_parts(self, step: int) -> list[Genotype]:
        """Return the parts that a step trains beside the largest network."""
        if step < self.alone:
            return []
        rng = random.Random(derive_seed(self.seed, "parts", step))
        return [self.smallest, *(self.parts.draw(rng) for _ in range(self.section.drawn))]

    def _compute_gradients(
        self, inputs: Inputs, targets: Tensor, kept: Mapping[str, Tensor], step: int
    ) -> tuple[Tensor, Tensor]:
        loss, outputs = super()._compute_gradients(inputs, targets, kept, step)
        for part in self.trained_parts(step):
            torch.autograd.backward(self._imitation_loss(part, inputs, outputs.detach()))
        return loss, outputs

    def _imitation_loss(self, part: Genotype, inputs: Inputs, outputs: Tensor) -> Tensor:
        with autocast(self.settings.precision, self.device):
            own = self.cutter.run(part, self.network, inputs)
            return self.task.loss(own, self.task.imitated(outputs))
