"""Fixtures that several folders share."""

import random
import shutil
from pathlib import Path

import pytest
import torch

from cellwright.data.split import Split
from cellwright.estimators.base import Setting
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.darts.space import Darts
from cellwright.spec import Retrain
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification
from cellwright.testing import one_shot

torch.set_num_threads(1)  # tensors here are too small for more, and two processes run the tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest, or a process would be left with it when the other is done."""
    items.sort(key=lambda item: item.path.stem != "test_whole_pipeline")


@pytest.fixture
def tiny_space() -> Darts:
    return Darts(primitives=("skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"), num_nodes=2)


@pytest.fixture
def tiny_task() -> ImageClassification:
    return ImageClassification(
        map_shape=(2, 8, 8), class_names=tuple(map(str, range(3))), mean=(0.5, 1.0), std=(1.0, 2.0)
    )


@pytest.fixture
def rng() -> random.Random:
    return random.Random(0)


@pytest.fixture(scope="session")
def bars() -> Split:
    return one_shot.bars(60)


@pytest.fixture
def tiny_setting(bars: Split, tiny_task: ImageClassification) -> Setting:
    """Bars to tell apart, in DARTS cells of two nodes."""
    space = DartsSection(num_cells=2, channels=2, num_nodes=2)
    return Setting(
        task=tiny_task,
        space=space,
        final_space=space,
        train=bars,
        validation=bars.sample(30, seed=0),
        augment=ImagesSection(shift=0, rotate=0, scale=0),
        retrain=Retrain(batch_size=20, learning_rate=0.02),
        device=torch.device("cpu"),
    )


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; its migrations take seconds, a copy nothing."""
    from cellwright.tracking import connection

    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    connection.connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def uri(migrated: Path, tmp_path: Path) -> str:
    shutil.copy(migrated, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"
