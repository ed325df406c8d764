import random
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cellwright.data.split import Split
from cellwright.genotype import Genotype
from cellwright.nn.dropping import Droppable, kept_paths
from cellwright.nn.initialising import seeded_initialisation
from cellwright.nn.primitives import Identity
from cellwright.progress import Silent
from cellwright.spaces import build_space
from cellwright.spaces.chain.networks import ChainNetwork
from cellwright.spaces.darts.network import Network
from cellwright.spaces.nasbench201.networks import NasBench201Network
from cellwright.spaces.networks import build_network
from cellwright.spaces.stages.members import resnet
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spec import Retrain
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification
from cellwright.training.retraining import Retraining
from tests.contracts.sections import SECTIONS

GENOTYPES = {
    "darts": "darts:normal~2~0.skip_connect,1.sep_conv_3x3~0.dil_conv_5x5,2.skip_connect"
    ":reduce~2~0.max_pool_3x3,1.sep_conv_3x3~1.skip_connect,2.sep_conv_3x3",
}
"""Others are drawn."""


@pytest.fixture(params=["darts", "nasbench201", "chain", "resnet"])
def network(request: pytest.FixtureRequest, tiny_task: ImageClassification) -> Droppable:
    with seeded_initialisation(0):
        if request.param == "resnet":
            return StagesNetwork(tiny_task, resnet(4))
        section = SECTIONS[request.param]
        line = GENOTYPES.get(request.param)
        genotype = Genotype.from_line(line) if line else build_space(section).sample(random.Random(1))
        network = build_network(section, tiny_task, genotype)
    assert isinstance(network, Droppable)
    assert network.num_paths > 1
    return network


def images(count: int = 5) -> Tensor:
    return torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(0))


def silenced(network: Droppable) -> ExitStack:
    """Make everything give zeros that can be dropped, until the context ends."""
    match network:
        case Network():
            droppable = [
                primitive
                for cell in network.cells
                for primitive in cell.primitives
                if not isinstance(primitive, Identity)
            ]
        case NasBench201Network():
            droppable = [
                primitive
                for cells in network.stages
                for cell in cells
                for edge in cell.on_edges
                for name, primitive in edge.items()
                if name != "skip_connect"
            ]
        case ChainNetwork():
            droppable = []
            for index, layer in enumerate(network.layers):
                for source, projection in layer.projections.items():
                    if int(source) != index:
                        nn.init.zeros_(projection.weight)
        case StagesNetwork():
            droppable = [block.branch for block in network.blocks]
    stack = ExitStack()
    for module in droppable:
        stack.enter_context(module.register_forward_hook(lambda _, inputs, output: torch.zeros_like(output)))
    return stack


@pytest.mark.parametrize("train", [False, True])
def test_kept_whole_it_is_as_it_was(network: Droppable, train: bool):
    network.train(train)
    assert network(images(), kept_PB=torch.ones(network.num_paths, 5)).equal(network(images()))


@pytest.mark.parametrize("train", [False, True])
def test_all_that_can_be_dropped_and_nothing_else_is_left_out(network: Droppable, train: bool):
    network.train(train)
    whole = network(images())
    dropped = network(images(), kept_PB=torch.zeros(network.num_paths, 5))
    with silenced(network):
        expected = network(images())
    torch.testing.assert_close(dropped, expected, rtol=1e-5, atol=1e-6)
    assert dropped.isfinite().all()
    assert not torch.allclose(dropped, whole, rtol=1e-3, atol=1e-3)


def test_each_example_is_dropped_on_its_own(network: Droppable):
    network.eval()
    kept_PB = torch.ones(network.num_paths, 5)
    kept_PB[:, 2] = 0
    found, whole = network(images(), kept_PB=kept_PB), network(images())
    others = [0, 1, 3, 4]
    torch.testing.assert_close(found[others], whole[others], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found[2], whole[2], rtol=1e-3, atol=1e-3)


def test_training_drops_paths_where_it_is_asked_to(network: Droppable, bars: Split, tmp_path: Path):
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def trained(drop_path: float, name: str) -> Tensor:
        network.load_state_dict(start)
        training = Retraining(
            network,
            bars,
            Retrain(epochs=1, batch_size=20, drop_path=drop_path, ema_decay=None),
            ImagesSection(),
            task=ImageClassification(
                map_shape=(2, 8, 8), class_names=("0", "1", "2"), mean=(0.5, 1.0), std=(1.0, 2.0)
            ),
            seed=0,
            checkpoint=tmp_path / name,
        )
        weights = training.run("train", Silent()).parameters()
        return torch.cat([weight.detach().flatten() for weight in weights])

    whole = trained(0, "whole")
    assert trained(0, "again").equal(whole)
    assert not trained(0.5, "dropped").equal(whole)


def test_what_is_kept_makes_up_for_what_is_dropped():
    kept_PB = kept_paths(200, 100, 0.25, torch.Generator().manual_seed(0))
    assert kept_PB.unique().tolist() == [0, pytest.approx(1 / 0.75)]
    assert kept_PB.mean().item() == pytest.approx(1, abs=0.02)
