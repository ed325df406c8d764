from pathlib import Path

import pytest
import torch
from torch import nn

from cellwright.data.split import Split
from cellwright.errors import DivergedError
from cellwright.progress import Silent
from cellwright.spaces.building import GenotypeNetworkConfig, NetworkConfig, hand_designed_network
from cellwright.spaces.darts.section import DartsSection
from cellwright.spec import Retrain
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification
from cellwright.training.retraining import Retraining, predict

GENOTYPE = (
    "darts:normal~2~0.skip_connect,1.sep_conv_3x3~0.dil_conv_3x3,2.skip_connect"
    ":reduce~2~0.max_pool_3x3,1.sep_conv_3x3~1.avg_pool_3x3,2.sep_conv_3x3"
)
TASK = ImageClassification(map_shape=(2, 8, 8), class_names=("0", "1", "2"), mean=(0.5, 0.5), std=(1.0, 1.0))
SPACE = DartsSection(num_nodes=2, num_cells=3, channels=4)
CELLS = NetworkConfig(network=GenotypeNetworkConfig(task=TASK, genotype=GENOTYPE, space=SPACE))
AUGMENT = ImagesSection(shift=0.05, rotate=5, scale=0.05, erase=0.1)
RESNET = hand_designed_network(TASK, "resnet", 11_000)


class Killed(BaseException):
    pass


class KillAfter(Silent):
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def advance(self, task, done, total, metrics):
        if done == self.epochs:
            raise Killed


def training(split: Split, checkpoint: Path, settings: Retrain, config: NetworkConfig = CELLS) -> Retraining:
    return Retraining(
        config.build(seed=1), split, settings, AUGMENT, task=TASK, seed=2, checkpoint=checkpoint
    )


@pytest.mark.parametrize("config", [CELLS, RESNET], ids=["cells", "resnet"])
@pytest.mark.parametrize(
    "settings",
    [
        Retrain(epochs=15, batch_size=16, warmup=0.2),
        Retrain(
            epochs=15,
            batch_size=16,
            optimizer="sgd",
            learning_rate=0.05,
            weight_decay=1e-3,
            ema_decay=None,
            gradient_clip=None,
            mixup=0.2,
        ),
    ],
    ids=["adamw", "sgd"],
)
def test_learns_what_is_easy(bars: Split, tmp_path: Path, config: NetworkConfig, settings: Retrain):
    network = training(bars, tmp_path / "c", settings, config).run("train", Silent())
    assert (predict(network, bars).argmax(dim=1) == bars.targets).float().mean() > 0.95


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_killed_training_resumes_to_the_same_weights(
    bars: Split, tmp_path: Path, optimizer: str, killed_after: int
):
    settings = Retrain(epochs=4, batch_size=16, optimizer=optimizer, drop_path=0.2, mixup=0.2)
    undisturbed = training(bars, tmp_path / "undisturbed", settings).run("train", Silent())
    with pytest.raises(Killed):
        training(bars, tmp_path / "killed", settings).run("train", KillAfter(killed_after))
    resumed = training(bars, tmp_path / "killed", settings).run("train", Silent())
    for one, other in zip(undisturbed.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert one.equal(other)


def test_learning_rate_rises_then_falls_to_nothing(bars: Split, tmp_path: Path):
    run = training(bars, tmp_path / "c", Retrain(epochs=6, batch_size=16, warmup=0.2))
    run.run("train", Silent())
    rates = [record.metrics["learning_rate"] for record in run.history]
    peak = rates.index(max(rates))
    assert peak in (0, 1)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.1 * max(rates)


def test_norms_and_biases_are_not_decayed(bars: Split, tmp_path: Path):
    run = training(bars, tmp_path / "c", Retrain(epochs=1))
    decayed, spared = run.optimizer.param_groups
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in spared["params"]} == {1}
    assert spared["weight_decay"] == 0


def test_tables_of_embeddings_are_not_decayed(bars: Split, tmp_path: Path):
    network = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 2))
    run = Retraining(network, bars, Retrain(), AUGMENT, task=TASK, seed=2, checkpoint=tmp_path / "c")
    decayed, spared = run.optimizer.param_groups
    assert [id(p) for p in decayed["params"]] == [id(network[1].weight)]
    assert [id(p) for p in spared["params"]] == [id(network[0].weight), id(network[1].bias)]


def test_prediction_leaves_the_order_alone(bars: Split):
    flat = nn.Flatten()
    assert predict(flat, bars, batch_size=7).equal(bars.inputs[0].flatten(1))


def test_global_randomness_is_left_alone(bars: Split, tmp_path: Path):
    before = torch.get_rng_state()
    training(bars, tmp_path / "c", Retrain(epochs=1, drop_path=0.5)).run("train", Silent())
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_diverged_training_ends_at_once_and_names_the_learning_rate(
    bars: Split, tmp_path: Path, epochs: int
):
    settings = Retrain(epochs=epochs, batch_size=60, learning_rate=1e38, warmup=0, optimizer="sgd")
    run = training(bars, tmp_path / "c", settings)
    rule = r"^train found: training diverges in epoch \d: .* (is nan|are not finite); "
    with pytest.raises(DivergedError, match=rule + r"lower retrain.learning_rate, 1e\+38$"):
        run.run("train found", Silent())
    assert len(run.history) < 2
