from pathlib import Path

import pytest
import torch
from skops.io import dump

from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError
from cellwright.spec import SOURCES
from cellwright.tasks.base import Task, read_task
from cellwright.tasks.classical import ESTIMATOR, ClassicalModel
from cellwright.tasks.preparing import prepare

DELIVERIES = Path(__file__).parents[3] / "examples" / "deliveries.csv"
TARGETS = [{"target": "late"}, {"target": "weight_kg", "predict": "number", "log": True}]


@pytest.fixture(params=TARGETS, ids=["classes", "numbers"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> PreparedData:
    section = {"source": "table", "path": DELIVERIES, **request.param}
    prepare(SOURCES.validate(section), tmp_path / "data", lambda fact: None)
    return PreparedData.open(tmp_path / "data")


@pytest.mark.parametrize("name", ["boosted-trees", "linear"])
def test_a_classical_model_is_stored_without_pickle_and_scored_as_networks_are(
    name: str, data: PreparedData, tmp_path: Path
):
    task: Task = read_task(data.manifest.task)
    assert ClassicalModel.fit(name, task, data.train, tmp_path / "rival", seed=1).name == name
    outputs = ClassicalModel.load(tmp_path / "rival", task).predict(data.test.inputs)
    assert len(outputs) == len(data.test) and outputs.isfinite().all()
    assert tuple(task.scores(outputs, data.test.targets)) == task.metrics
    if task.objective == "accuracy":
        torch.testing.assert_close(outputs.exp().sum(dim=1), torch.ones(len(outputs)))
        assert task.score(outputs, data.test.targets) > 0.7
    ClassicalModel.fit(name, task, data.train, tmp_path / "again", seed=1)
    assert ClassicalModel.load(tmp_path / "again", task).predict(data.test.inputs).equal(outputs)


def test_other_types_are_not_loaded(data: PreparedData, tmp_path: Path):
    task = read_task(data.manifest.task)
    ClassicalModel.fit("linear", task, data.train, tmp_path, seed=1)
    dump(PreparedData(tmp_path, data.manifest), tmp_path / ESTIMATOR)
    with pytest.raises(CellwrightError, match="must be a classical model"):
        ClassicalModel.load(tmp_path, task)
