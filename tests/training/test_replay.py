"""CUDA graphs need a GPU. What can be known without: what they would be given, and what their use comes to."""

import random

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Silent
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network, build_supernet
from cellwright.spaces.stages.members import resnet
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spec import STRATEGIES, Budget, Retrain
from cellwright.strategies.one_shot.base import SearchData, build_strategy
from cellwright.tasks.images.section import ImagesSection
from cellwright.training import replay
from cellwright.training.replay import Replayed
from cellwright.training.retraining import Retraining
from tests.contracts.sections import SECTIONS

SEARCHES = [
    ({"kind": "darts"}, 2),
    ({"kind": "darts", "order": "second"}, 3),
    ({"kind": "beta-darts"}, 1),
    ({"kind": "beta-darts", "warmup": 0.5}, 2),
    ({"kind": "drnas", "warmup": 0}, 1),
    ({"kind": "pc-darts", "derivation": "perturbation", "tuning_steps": 2}, 2),
]
"""Strategies, and how many kinds of passes they have."""


def stand_in(module: nn.Module, samples: tuple, allow_unused_input: bool):
    """Stand in for `torch.cuda.make_graphed_callables`: a replay writes where the one before did."""
    computed = module.forward
    for _ in range(3):
        example = computed(*samples)
    leaves = pytree.tree_leaves(samples)
    learning = [tensor for tensor in (*leaves, *module.parameters()) if tensor.requires_grad]
    output, gradients, passes = torch.empty_like(example), [torch.empty_like(t) for t in learning], []

    class Replay(torch.autograd.Function):
        @staticmethod
        def forward(context, *given):
            for leaf, tensor in zip(leaves, given, strict=False):
                leaf.detach().copy_(tensor)
            with torch.enable_grad():
                passes[:] = [computed(*samples)]
            output.copy_(passes[0])
            return output.detach()

        @staticmethod
        def backward(context, gradient):
            found = torch.autograd.grad(
                passes[0], learning, gradient, allow_unused=allow_unused_input, materialize_grads=True
            )
            torch._foreach_copy_(gradients, list(found))
            remaining = iter(gradients)
            return tuple(
                next(remaining).detach() if tensor.requires_grad else None
                for tensor in (*leaves, *module.parameters())
            )

    return lambda *inputs: Replay.apply(*pytree.tree_leaves(inputs), *module.parameters())


@pytest.fixture
def recordings(monkeypatch):
    """Record on a CPU, by the stand-in; return how many passes were recorded."""
    made = []

    def record(module, samples, allow_unused_input):
        made.append(samples)
        return stand_in(module, samples, allow_unused_input)

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    monkeypatch.setattr(replay, "is_worthwhile", lambda device: True)
    return made


class Abroad(TorchDispatchMode):
    """Notes what reads or makes tensors anywhere but on the GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = pytree.tree_leaves((args, kwargs, result))
        if {t.device.type for t in tensors if isinstance(t, torch.Tensor)} != {"cuda"}:
            self.seen.append(str(function))
        return result


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("space", ["darts", "nasbench201", "chain"])
def test_the_whole_of_a_supernet_can_be_recorded(space, partial, tiny_task):
    if partial and space == "chain":
        pytest.skip("partial channels are for cells")
    section = SECTIONS[space]
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda:0"):
        supernet = build_supernet(section, tiny_task, channel_fraction=0.5 if partial else 1.0).train()
        mixture = {g: torch.ones(shape) for g, shape in build_space(section).decisions.items()}
        images = torch.zeros(4, *tiny_task.map_shape)
        with Abroad() as abroad:
            supernet((images,), mixture)
    assert not abroad.seen


@pytest.mark.parametrize("space", ["darts", "nasbench201", "chain", "resnet"])
def test_a_network_can_be_recorded(space, tiny_task):
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda:0"):
        if space == "resnet":
            network = StagesNetwork(tiny_task, resnet(4))
        else:
            genotype = build_space(SECTIONS[space]).sample(random.Random(0))
            network = build_network(SECTIONS[space], tiny_task, genotype)
        images, kept_PB = torch.zeros(4, *tiny_task.map_shape), torch.ones(network.num_paths, 4)
        with Abroad() as abroad:
            network.train()(images, kept_PB=kept_PB)
    assert not abroad.seen


@pytest.mark.parametrize(("section", "num_kinds"), SEARCHES)
def test_a_search_from_recorded_passes_is_the_same(
    section, num_kinds, tiny_task, bars, recordings, monkeypatch
):
    def outcome():
        settings = STRATEGIES.validate(section | {"batch_size": 16})
        with seeded_initialisation(0):
            supernet = build_supernet(SECTIONS["darts"], tiny_task, channel_fraction=settings.mixed_fraction)
        data = SearchData(train=bars, validation=bars)
        strategy = build_strategy(settings, supernet, data, Budget(epochs=2), augment=ImagesSection(), seed=0)
        measured = [strategy.train_epoch(1), strategy.watch(), strategy.train_epoch(2)]
        return measured, len(list(strategy.select())), strategy.state()

    *replayed, state = outcome()
    assert len(recordings) == num_kinds
    monkeypatch.setattr(replay, "is_worthwhile", lambda device: False)
    *computed, expected = outcome()
    assert replayed == computed
    for name, tensor in expected.items():
        assert state[name].equal(tensor), name


def test_a_training_from_recorded_passes_is_the_same(tiny_task, bars, recordings, monkeypatch, tmp_path):
    genotype = build_space(SECTIONS["darts"]).sample(random.Random(0))

    def weights(name):
        with seeded_initialisation(0):
            network = build_network(SECTIONS["darts"], tiny_task, genotype)
        settings = Retrain(epochs=2, batch_size=16, drop_path=0.3)
        training = Retraining(
            network, bars, settings, ImagesSection(), task=tiny_task, seed=0, checkpoint=tmp_path / name
        )
        return training.run("train", Silent()).state_dict()

    replayed = weights("replayed")
    assert len(recordings) == 1
    monkeypatch.setattr(replay, "is_worthwhile", lambda device: False)
    for name, tensor in weights("computed").items():
        assert replayed[name].equal(tensor), name


def test_continues_where_recording_fails(recordings, monkeypatch):
    def fails(module, samples, allow_unused_input):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fails)
    network = Replayed(nn.Linear(2, 1), enabled=True)
    with pytest.warns(UserWarning, match="without CUDA graphs, as recording one failed: operation not"):
        assert network(torch.zeros(1, 2)).equal(network.network(torch.zeros(1, 2)))


def test_a_cpu_computes_each_pass(recordings, monkeypatch):
    monkeypatch.undo()
    assert not Replayed(nn.Linear(2, 1), enabled=True).enabled


def test_can_be_turned_off(recordings):
    assert not Replayed(nn.Linear(2, 1), enabled=False).enabled
