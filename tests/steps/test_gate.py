"""The gate on real prepared data, networks and a real registry; only what a new version predicts is made up."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mlflow import MlflowClient

from cellwright.canonical import canonical_json
from cellwright.data.prepared import PreparedData
from cellwright.data.trained_on import example_hashes
from cellwright.files import write_text
from cellwright.progress import Silent
from cellwright.results import EvaluationResult, ModelScore
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.spec.gate import Gate
from cellwright.steps.gate import Gatekeeper
from cellwright.steps.prepare import prepare
from cellwright.tasks.base import read_task
from cellwright.tracking import Lifecycle, RegisteredModel
from cellwright.tracking.models import assign_alias
from cellwright.tracking.registry import digests
from cellwright.training.checkpoint import save_tensors
from cellwright.training.networks import genotype_network, load_network
from cellwright.training.retraining import predict

SPEC = SearchSpec.model_validate(
    {
        "name": "small",
        "data": {"source": "digits", "limit": 300},
        "space": {"kind": "nasbench201", "num_cells": 1, "channels": 4},
        "evaluate": {"latency_repeats": 5, "latency_batch_sizes": [1]},
        "resources": {"cpu": 1},
    }
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepare")
    prepare(SPEC, {}, folder, Silent())
    return folder


@pytest.fixture
def gated(prepared: Path, uri: str, tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Register a version that predicts a share of the test examples right, and ask the gate."""
    data = PreparedData.open(prepared)
    task, test = read_task(data.manifest.task), data.test
    retrain = tmp_path / "retrain"
    genotype = build_space(SPEC.space).sample(random.Random(0))
    config = genotype_network(SPEC, data.manifest, genotype)
    retrain.mkdir()
    config.save(retrain / "network.json")
    save_tensors(retrain / "model.safetensors", config.build(seed=0).state_dict())
    write_text(retrain / "genotype.json", genotype.to_json())
    task.model_info(data.manifest.inputs, genotype).save(retrain / "model_info.json")
    with torch.inference_mode():
        own = predict(load_network(retrain), test)
    client = MlflowClient(uri)

    def register(
        key: str,
        right: float | None,
        gate: Gate,
        better_than_resnet: bool = True,
        between: Callable[[Lifecycle], object] | None = None,
    ) -> SimpleNamespace:
        """Its files are always those of one network; `right` is what evaluation is made to say, if not that."""
        folder = tmp_path / key
        (folder / "model/extra_files").mkdir(parents=True)
        for file in retrain.iterdir():
            (folder / "model/extra_files" / file.name).write_bytes(file.read_bytes())
        outputs = own
        if right is not None:
            wrong = torch.arange(len(test)) >= round(right * len(test))
            outputs = 5.0 * torch.nn.functional.one_hot((test.targets + wrong) % 10, 10)
        resnet = own if better_than_resnet else outputs
        difference, interval = task.difference(outputs, resnet, test.targets)
        evaluate = folder / "evaluate"
        EvaluationResult(
            num_examples=len(test),
            objective="accuracy",
            device="cpu",
            found=ModelScore(
                name="found", genotype=genotype, metrics=task.scores(outputs, test.targets), params=1
            ),
            baselines=(),
            comparisons=({"baseline": "resnet", "difference": difference, "interval": interval},),
            confusion=task.confusion(outputs, test.targets),
        ).save(evaluate / "evaluation.json")
        save_tensors(evaluate / "outputs.safetensors", {"found": outputs})
        keeper = Gatekeeper(
            spec=SPEC,
            gate=gate,
            inputs={"prepare": prepared, "retrain": retrain, "evaluate": evaluate},
            folder=folder,
            lifecycle=Lifecycle(uri=uri, name="small"),
            key=key,
        )
        decision = keeper.judge()
        if not client.search_registered_models("name = 'small'"):
            client.create_registered_model("small")
        version = client.create_model_version(
            "small",
            source=(folder / "model").as_uri(),
            tags={
                "cellwright.run": key,
                "cellwright.gate": decision.model_dump_json(),
                "cellwright.data": data.manifest.content_hash,
                "cellwright.files": canonical_json(digests(folder / "model")),
            },
        )
        number = int(version.version)
        alias = assign_alias(client, "small", number, has_gate=True)
        said: list[str] = []
        if between:
            between(keeper.lifecycle)
        model, decision = keeper.promote(
            RegisteredModel(name="small", version=number, alias=alias),
            keeper.judge(),
            SimpleNamespace(log=said.append),
        )
        assert keeper.lifecycle.decision(number) == decision
        champion = keeper.lifecycle.champion()
        return SimpleNamespace(
            passed=model.alias == "champion",
            decision=decision,
            said=said,
            folder=folder,
            champion=champion and champion.version,
            lifecycle=keeper.lifecycle,
            again=lambda: keeper.promote(model, keeper.judge(), SimpleNamespace(log=said.append)),
        )

    return register


def test_a_first_champion_must_be_good_enough_and_better_than_the_hand_designed_network(gated):
    strict = Gate(at_least={"accuracy": 0.95})
    assert (
        gated("one", 0.9, strict).decision.sentence == "refused: accuracy must be at least 0.95, got 0.8997"
    )
    second = gated("two", 0.97, strict, better_than_resnet=False)
    assert (second.passed, second.champion) == (False, None)
    assert "accuracy less that of resnet must be above 0" in second.decision.sentence
    third = gated("three", 0.97, strict)
    assert (third.passed, third.champion, third.decision.champion) == (True, 3, None)
    assert third.again()[0].alias == "champion" and len(third.lifecycle.moves()) == 1


def test_a_version_is_compared_with_the_champion_on_the_same_examples(gated):
    gate = Gate()
    assert gated("one", 0.9, gate).passed
    equal = gated("two", None, gate)
    assert (equal.passed, equal.decision.champion, equal.decision.comparison.difference) == (False, 1, 0.0)
    assert "p must be below 0.0083" in equal.decision.sentence
    better = gated("three", 0.8, gate)
    assert (better.passed, better.champion, better.decision.look) == (True, 3, 3)
    assert better.decision.comparison.test == "mcnemar"
    kind, *_, last = better.lifecycle.moves()
    assert (kind.kind, last.from_version, last.to_version) == ("promotion", 1, 3)
    assert last.evidence == better.decision.sentence
    assert (better.folder / "champion.safetensors").exists()
    assert gated("four", 0.95, Gate(looks=3)).decision.sentence.endswith(
        "look 4 of 3 (gate.looks) at this test set: the test set is worn out, and new examples are needed"
    )


def test_weights_that_were_trained_on_test_examples_are_refused(gated, prepared: Path, tmp_path: Path):
    (tmp_path / "leaked").mkdir()
    data = PreparedData.open(prepared)
    hashes = example_hashes(data.train, data.test[:40])
    save_tensors(tmp_path / "leaked/trained_on.safetensors", {"examples": hashes})
    leaked = gated("leaked", 0.99, Gate())
    assert not leaked.passed
    assert leaked.decision.sentence.endswith(f"(gate.leaked), got 40 of {len(data.test)}")


def test_one_that_is_to_be_promoted_by_hand_waits_as_the_challenger(gated, uri: str):
    waiting = gated("one", 0.9, Gate(promote="manual"))
    assert (waiting.passed, waiting.champion, waiting.decision.passed) == (False, None, True)
    assert waiting.said[-1] == "register: to promote it: cellwright promote small 1"
    assert MlflowClient(uri).get_registered_model("small").aliases == {"challenger": 1}


def test_a_champion_that_is_damaged_or_of_other_classes_is_named_and_stays(gated, tmp_path: Path, uri: str):
    assert gated("one", 0.9, Gate()).passed
    file = tmp_path / "one/model/extra_files/model_info.json"
    info = file.read_text()
    file.write_text(info.replace('"9"', '"nine"'))
    damaged = gated("two", 0.9, Gate())
    assert (damaged.passed, damaged.champion) == (False, 1)
    assert "models:/small/1: extra_files/model_info.json must have the SHA-256" in damaged.decision.sentence
    MlflowClient(uri).set_model_version_tag(
        "small", "1", "cellwright.files", json.dumps(digests(tmp_path / "one/model"))
    )
    other = gated("three", 0.9, Gate())
    assert "the champion cannot be compared: the classes of version 1 must be" in other.decision.sentence


def test_a_champion_that_moved_meanwhile_is_compared_with_again(gated):
    assert gated("one", 0.9, Gate()).passed
    gated("two", None, Gate())

    def by_hand(lifecycle: Lifecycle) -> None:
        lifecycle.promote(2, expected=1, who="ann", why="", evidence=None, owner="ann")

    third = gated("three", 0.9, Gate(), between=by_hand)
    assert "the champion of small must be version 1" in third.said[0]
    assert (third.passed, third.champion, third.decision.champion, third.decision.look) == (True, 3, 2, 3)
