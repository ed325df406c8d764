"""The contracts of tasks and data sources."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cellwright.data.examples import Array
from cellwright.data.prepared import PreparedData
from cellwright.data.reading import build_reader, source_digest
from cellwright.data.splitting import Part, split
from cellwright.genotype import Genotype
from cellwright.nn.cost import count_params
from cellwright.nn.export import export_onnx, export_pt2
from cellwright.nn.heads import read_out
from cellwright.results import ModelInfo
from cellwright.seeds import derive_seed
from cellwright.spaces.building import hand_designed_network
from cellwright.spec import SOURCES, TASKS, DataSection
from cellwright.spec.task import TaskSection
from cellwright.tasks.base import Task, read_task, task_type
from cellwright.tasks.preparing import prepare


def _silent(fact: str) -> None:
    """Ignore a message."""


class _DataContract:
    @pytest.fixture
    def section(self) -> dict[str, Any]:
        """Return the section as written in a spec."""
        raise NotImplementedError

    @pytest.fixture
    def data(self, section: dict[str, Any]) -> DataSection:
        """Return the validated section."""
        return SOURCES.validate(section)


class SourceContract(_DataContract):
    """Inherit from this class, and define a fixture `section` with a spec's `data` section for small, valid data."""

    def test_inputs_and_targets_have_as_many_examples(self, data: DataSection) -> None:
        """Every input has a row for each target. A separate test set has the same names, shapes and types."""
        source = build_reader(data).read(_silent)
        for examples in filter(None, (source.examples, source.test)):
            assert examples.inputs and len(examples) > 0
            assert {len(array) for array in examples.inputs.values()} == {len(examples.targets)}
            assert all(array.dtype != object for array in examples.inputs.values())

    def test_reading_twice_gives_the_same(self, data: DataSection) -> None:
        """The order of examples is fixed, and the digest depends on the contents only."""
        one, other = (build_reader(data).read(_silent).examples for _ in range(2))
        assert list(one.inputs) == list(other.inputs)
        assert all(one.inputs[name].tobytes() == other.inputs[name].tobytes() for name in one.inputs)
        assert np.array_equal(one.targets, other.targets)
        assert source_digest(data) == source_digest(data)

    def test_places_exist_and_can_be_checked(self, data: DataSection) -> None:
        """The locations that `validate` checks exist."""
        for key, location in data.locations.items():
            if isinstance(location, Path):
                assert location.exists()
                build_reader(data).check(key, location)


class TaskContract(_DataContract):
    """Inherit from this class, and define a fixture `section` with a spec's `data` section for small, valid data."""

    @pytest.fixture
    def prepared(self, data: DataSection, tmp_path: Path) -> PreparedData:
        """Return the prepared data."""
        prepare(data, tmp_path / "data", _silent)
        return PreparedData.open(tmp_path / "data")

    @pytest.fixture
    def task(self, prepared: PreparedData) -> Task:
        """Return the task of the prepared data."""
        return read_task(prepared.manifest.task)

    @pytest.fixture
    def augment(self, data: DataSection) -> TaskSection:
        """Return the task's section with its defaults."""
        return TASKS.section_type(data.task_kind).model_validate({})

    def test_json_holds_all_of_it(self, task: Task) -> None:
        """A task equals its copy from JSON."""
        assert read_task(task.model_dump(mode="json")) == task

    def test_section_and_task_agree(self, task: Task, augment: TaskSection) -> None:
        """The torch-free section names the task's objective and hand-designed networks."""
        assert augment.objective == task.objective == task.metrics[0]
        assert not augment.metrics or set(task.metrics) <= set(augment.metrics)
        assert augment.task == task.kind
        for name in augment.hand_designed:
            network = hand_designed_network(task, name, 2000).build(seed=0)
            assert 200 < count_params(network) < 20000

    def test_the_adapter_gives_the_map_and_the_head_an_output_for_each(
        self, task: Task, prepared: PreparedData
    ) -> None:
        """Adapter and head accept real batches and examples of zeros."""
        inputs, targets = next(prepared.train.ordered_batches(4))
        network = _Linear(task)
        for batch in (inputs, task.example(4)):
            assert tuple(task.adapter()(*batch).shape) == (4, *task.map_shape)
            assert len(network(*batch)) == 4
        assert [(x.shape, x.dtype) for x in inputs] == [
            (x.shape, x.dtype) for x in task.example(len(targets))
        ]

    def test_losses_can_be_descended(self, task: Task, prepared: PreparedData) -> None:
        """The loss is a finite scalar with gradients, and one-hot soft targets give the same loss."""
        inputs, targets = next(prepared.train.ordered_batches(16))
        network = _Linear(task)
        hard = task.loss(network(*inputs), targets)
        soft = task.loss(network(*inputs), task.soft_targets(targets))
        assert torch.isfinite(hard) and torch.allclose(hard, soft, rtol=1e-4)
        hard.backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())

    def test_scores_agree(self, task: Task, prepared: PreparedData) -> None:
        """The objective is the same in one pass and batch by batch, has an interval, and is at most 1."""
        network, split = _Linear(task), prepared.train
        running = task.running_score(torch.device("cpu"))
        parts = []
        with torch.no_grad():
            for inputs, targets in split.ordered_batches(7):
                parts.append(network(*inputs))
                running.add(parts[-1], targets)
        outputs = torch.cat(parts)
        scores = task.scores(outputs, split.targets)
        assert tuple(scores) == task.metrics
        objective = scores[task.objective]
        assert objective.direction == "maximize" and objective.value <= 1
        assert objective.interval is not None
        assert (
            objective.interval.low <= objective.value + 1e-6
            and objective.value <= objective.interval.high + 1e-6
        )
        assert task.score(outputs, split.targets) == pytest.approx(objective.value, abs=1e-6)
        assert running.value() == pytest.approx(objective.value, abs=1e-5)
        difference, interval = task.difference(outputs, outputs, split.targets)
        assert difference == 0 and interval.low <= 0 <= interval.high

    def test_augmentation_follows_from_its_generator(
        self, task: Task, augment: TaskSection, prepared: PreparedData
    ) -> None:
        """Shapes and types are kept, and all randomness comes from the generator."""
        inputs, _ = next(prepared.train.ordered_batches(8))
        one, other = (
            task.augment(inputs, augment, torch.Generator().manual_seed(derive_seed(0, "augment")))
            for _ in range(2)
        )
        assert [(x.shape, x.dtype) for x in one] == [(x.shape, x.dtype) for x in inputs]
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)

    def test_statistics_are_those_of_the_training_split(
        self, data: DataSection, prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Changing the inputs of validation and test examples does not change what networks are built from."""
        source = build_reader(data).read(_silent)
        train = split(source, data, task_type(data.task_kind).strata(source))["train"]
        kept = {tuple(x.tobytes() for x in row) for row in zip(*_rows(train), strict=True)}
        inputs = {name: array.copy(order="K") for name, array in source.examples.inputs.items()}
        rows = list(zip(*inputs.values(), strict=True))
        poisoned = [i for i, row in enumerate(rows) if tuple(x.tobytes() for x in row) not in kept]
        assert poisoned
        for array in inputs.values():
            array[poisoned] = 1 + array[poisoned] // 2
        examples = replace(source.examples, inputs=inputs)
        changed = replace(source, examples=examples)
        reader = type(build_reader(data))
        monkeypatch.setattr(reader, "read", lambda self, log: changed)
        prepare(data, tmp_path / "poisoned", _silent)
        assert PreparedData.open(tmp_path / "poisoned").manifest.task == prepared.manifest.task

    def test_exports_say_what_they_take_and_give(
        self, task: Task, prepared: PreparedData, tmp_path: Path
    ) -> None:
        """ONNX takes raw inputs by name and gives the network's outputs; ONNX and pt2 include the model information."""
        import onnxruntime

        inputs = prepared.train[:8].inputs
        info = task.model_info(prepared.manifest.inputs, Genotype(space="none", cells={}))
        assert read_task(info.task) == task
        assert [(x.name, x.shape, f"torch.{x.dtype}") for x in info.inputs] == [
            (name, tuple(x.shape[1:]), str(x.dtype)) for name, x in zip(task.input_names, inputs, strict=True)
        ]
        assert all((*(x.meaning for x in info.inputs), info.output.meaning))
        assert info.class_names is None or info.label_names is None
        for names in filter(None, (info.class_names, info.label_names)):
            assert len(names) == task.num_outputs
        info.save(tmp_path / ModelInfo.FILE)
        assert ModelInfo.load(tmp_path / ModelInfo.FILE) == info

        export_onnx(_Linear(task).eval(), inputs, tmp_path / "model.onnx", info, task.front())
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
        assert [x.name for x in session.get_inputs()] == [x.name for x in info.raw_inputs]
        assert [x.name for x in session.get_outputs()] == [info.output.name]
        facts = session.get_modelmeta().custom_metadata_map
        assert ModelInfo.model_validate_json(facts["cellwright"]) == info
        assert json.loads(facts["input_shapes"]) == {x.name: list(x.shape) for x in info.raw_inputs}
        for key in ("class_names", "label_names"):
            assert json.loads(facts.get(key, "null")) == info.model_dump(mode="json")[key]

        export_pt2(_Linear(task).eval(), inputs, tmp_path / "model.pt2", info)
        extra = {ModelInfo.FILE: ""}
        torch.export.load(tmp_path / "model.pt2", extra_files=extra)
        assert ModelInfo.model_validate_json(extra[ModelInfo.FILE]) == info


def _rows(part: Part) -> list[Array]:
    return [array[part.indices] for array in part.examples.inputs.values()]


class _Linear(nn.Module):
    """The smallest network of a task: adapter and head."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.adapter = task.adapter()
        self.head = task.head(task.map_shape[0])

    def forward(self, *inputs: Tensor) -> Tensor:
        return read_out(self.head, self.adapter(*inputs), inputs)
