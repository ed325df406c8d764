"""The estimator of zero-cost proxies, which ranks each architecture among random ones of its space."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from cellwright.candidate import Candidate
from cellwright.canonical import digest
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.zero_cost.proxies import PROXIES, Probe, fuse_among
from cellwright.estimators.zero_cost.section import ZeroCostSection
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Progress
from cellwright.results import Result
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.tasks.base import Task
from cellwright.training.randomness import generator

LOWEST = -1e9
"""Replaces minus infinity, which JSON lacks. Networks that let no signal through have this score."""


class Reference(Result):
    """The scores of random architectures, among which ranks are computed."""

    scores: dict[str, tuple[float, ...]]
    """Sorted scores by proxy."""


class ZeroCost(Estimator):
    """Scores untrained networks at a reduced size.

    Args:
        settings: the proxies, and the size of networks and inputs.
        setting: task, data and settings.
        seed: selects the reference sample.
    """

    def __init__(self, settings: ZeroCostSection, setting: Setting, *, seed: int) -> None:
        super().__init__(settings, setting, seed=seed)
        self.space = setting.space.shrunk(cells=settings.cells, channels=settings.channels)
        self._reference: Reference | None = None

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Score the reference sample, or read it from the folder."""
        path = folder / f"zero-cost-{digest(self.settings.model_dump(mode='json'))}.json"
        if not path.exists():
            self.draw_reference(progress).save(path)
        self._reference = Reference.load(path)

    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the fused score and the proxies."""
        assert self._reference is not None, "prepare must be called first"
        scores = self.score(candidate.genotype, seed=seed)
        found = scores | {"zero_cost": fuse_among(scores, self._reference.scores)}
        return {name: found[name] for name in self.metrics}

    def score(self, genotype: Genotype, *, seed: int) -> dict[str, float]:
        """Return the score of each proxy, at least LOWEST."""
        probe, task = self._probe(seed)
        with seeded_initialisation(derive_seed(seed, "initial weights")):
            network = build_network(self.space, task, genotype)
            network.apply(_initialise)
        network.to(self.setting.device).train()
        return {name: max(LOWEST, PROXIES[name](network, probe)) for name in self.settings.proxies}

    def draw_reference(self, progress: Progress) -> Reference:
        """Score random architectures of the space."""
        rng = random.Random(derive_seed(self.seed, "reference"))
        space = build_space(self.setting.space)
        rows = []
        for number in range(self.settings.reference):
            rows.append(self.score(space.sample(rng), seed=derive_seed(self.seed, "reference", number)))
            progress.advance("rank proxies", number + 1, self.settings.reference, {})
        return Reference(scores={name: tuple(sorted(row[name] for row in rows)) for name in rows[0]})

    def _probe(self, seed: int) -> tuple[Probe, Task]:
        """Return some training inputs, at most at the configured size, and the task of that size."""
        drawn = self.setting.train.sample(self.settings.batch_size, seed=derive_seed(seed, "images"))
        task = self.setting.task
        inputs, targets = next(drawn.ordered_batches(len(drawn)))
        if smaller := task.smaller(lambda side: min(side, self.settings.side)):
            task, resize = smaller
            inputs = resize(inputs)
        return Probe(inputs=inputs, targets=targets, task=task, rng=generator(seed, "signs")), task


def _initialise(module: nn.Module) -> None:
    """Draw initial weights as in the papers of the proxies."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
