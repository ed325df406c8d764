"""How many epochs fit into seconds of CPU time, found by measuring a few steps of the search or network at hand."""

import itertools
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cellwright.data.prepared import PreparedData
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.building import NetworkConfig
from cellwright.spaces.networks import build_supernet
from cellwright.spec import Budget, OneShotSection, SearchSpec
from cellwright.strategies.one_shot.base import OneShotStrategy, SearchData, build_strategy
from cellwright.strategies.one_shot.enas.section import EnasSection
from cellwright.strategies.one_shot.random_ws.section import RandomWsSection
from cellwright.strategies.one_shot.single_path import SinglePath
from cellwright.strategies.one_shot.spos.section import SposSection
from cellwright.tasks.base import read_task
from cellwright.training.retraining import Retraining

STEPS = 8
"""That are measured, after one that warms up."""
CANDIDATES = 3


def search_epochs(spec: SearchSpec, data: PreparedData, seconds: float) -> int:
    """Return how many epochs the spec's search can train and yet end, selection included, within the CPU time.

    The measurement's own time is part of it.
    """
    began = time.process_time()
    assert isinstance(spec.strategy, OneShotSection)
    with seeded_initialisation(0):
        task = read_task(data.manifest.task)
        supernet = build_supernet(spec.space, task, channel_fraction=spec.strategy.mixed_fraction)
    splits = SearchData(train=data.train, validation=data.validation)
    strategy = build_strategy(spec.strategy, supernet, splits, Budget(epochs=2), augment=spec.augment, seed=0)
    supernet.train()
    strategy.begin_epoch(1)
    warm_up, *batches = itertools.islice(strategy.training_batches(1), STEPS + 1)
    strategy.step(warm_up)
    step = _each(strategy.step, batches)
    num_steps = len(data.train) // strategy.batch_size
    epoch = num_steps * step + _each(strategy.end_epoch, [1]) + _each(lambda _: strategy.watch(), [1])
    left = seconds - _selection(spec.strategy, strategy) - (time.process_time() - began)
    return max(1, int(left / epoch))


def training_epochs(spec: SearchSpec, config: NetworkConfig, data: PreparedData, seconds: float) -> int:
    """Return the number of epochs of retraining that ends nearest to the CPU time, this measurement included."""
    began = time.process_time()
    split = data.train_and_validation()
    few = split[: STEPS * spec.retrain.batch_size]
    with tempfile.TemporaryDirectory() as folder:
        training = Retraining(
            config.build(seed=0),
            few,
            spec.retrain,
            spec.augment,
            task=config.network.task,
            seed=0,
            checkpoint=Path(folder) / "checkpoint",
        )
    training.train_epoch(1)
    step = _each(training.train_epoch, [2]) / STEPS
    left = seconds - (time.process_time() - began)
    return max(1, round(left / (step * (len(split) // spec.retrain.batch_size))))


def _selection(section: OneShotSection, strategy: OneShotStrategy) -> float:
    """Return the CPU seconds that choosing among candidates will take."""
    match section:
        case SposSection():
            count = section.population * section.generations
        case RandomWsSection() | EnasSection():
            count = section.candidates
        case _:
            return 0.0
    assert isinstance(strategy, SinglePath)
    rng = random.Random(0)
    return count * _each(strategy.score, [strategy.space.sample(rng) for _ in range(CANDIDATES)])


def _each(function: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Return the mean CPU seconds of a call."""
    began = time.process_time()
    for argument in arguments:
        function(argument)
    return (time.process_time() - began) / len(arguments)
