"""The facts of a decision from real prepared data, a real network and a real registry."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from cellwright.canonical import canonical_json
from cellwright.data.prepared import PreparedData
from cellwright.data.summary import summarise
from cellwright.data.trained_on import example_hashes
from cellwright.errors import CellwrightError
from cellwright.files import write_text
from cellwright.policy import PolicyDecision
from cellwright.progress import Silent
from cellwright.results import Confusion, EvaluationResult, ModelScore, SearchResult
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec, pack_spec, unpack_spec
from cellwright.steps.decide import decide_run, decided_spec
from cellwright.steps.prepare import prepare
from cellwright.steps.search import search
from cellwright.tasks.base import read_task
from cellwright.tracking.registry import digests
from cellwright.training.checkpoint import save_tensors
from cellwright.training.networks import genotype_network
from cellwright_components.decide import decide as decide_component


def spec_of(limit: int = 300, **sections) -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "small",
            "data": {"source": "digits", "limit": limit},
            "space": {"kind": "nasbench201", "num_cells": 1, "channels": 4},
            "strategy": {"kind": "random"},
            "policy": {"score": None},
            "resources": {"cpu": 1},
            **sections,
        }
    )


@dataclass
class World:
    """A champion of the data with 300 examples, and data that differs."""

    uri: str
    folder: Path
    genotype: str

    def decide(self, spec: SearchSpec) -> PolicyDecision:
        data = self.folder / f"data-{spec.data.limit}"
        if not data.exists():
            data.mkdir()
            prepare(spec, {}, data, Silent())
        return decide_run(self.tracked(spec), data, Silent())

    def tracked(self, spec: SearchSpec) -> SearchSpec:
        return spec.model_copy(update={"tracking": spec.tracking.model_copy(update={"uri": self.uri})})


@pytest.fixture
def world(uri: str, tmp_path: Path) -> World:
    spec, data, files = spec_of(), tmp_path / "data-300", tmp_path / "model/extra_files"
    data.mkdir()
    files.mkdir(parents=True)
    prepare(spec, {}, data, Silent())
    prepared = PreparedData.open(data)
    genotype = build_space(spec.space).sample(random.Random(0))
    config = genotype_network(spec, prepared.manifest, genotype)
    config.save(files / "network.json")
    save_tensors(files / "model.safetensors", config.build(seed=0).state_dict())
    write_text(files / "genotype.json", genotype.to_json())
    info = read_task(prepared.manifest.task).model_info(prepared.manifest.inputs, genotype)
    info.save(files / "model_info.json")
    save_tensors(files / "data_summary.safetensors", summarise(prepared.train, prepared.manifest.inputs))
    client = MlflowClient(uri)
    run = client.create_run(client.create_experiment("small", artifact_location=(tmp_path / "a").as_uri()))
    for name, value in {
        "found/test_accuracy": 0.9,
        "cost/hours": 2.0,
        "cost/search_hours": 1.5,
        "live": 0.7,
    }.items():
        client.log_metric(run.info.run_id, name, value)
    client.set_terminated(run.info.run_id)
    client.create_registered_model("small")
    tags = {
        "cellwright.data": prepared.manifest.content_hash,
        "cellwright.examples": str(sum(prepared.manifest.split_sizes.values())),
        "cellwright.files": canonical_json(digests(tmp_path / "model")),
    }
    client.create_model_version("small", (tmp_path / "model").as_uri(), run_id=run.info.run_id, tags=tags)
    client.set_registered_model_alias("small", "champion", "1")
    return World(uri, tmp_path, genotype.to_line())


def test_on_the_same_data_there_is_nothing_to_do(world: World):
    decision = world.decide(spec_of())
    assert decision.sentence == "nothing: nothing asks for work"
    (version,) = decision.facts.versions
    assert (version.action, version.score, version.hours, version.search_hours) == ("search", 0.9, 2.0, 1.5)
    assert decision.facts.hours_spent == 2.0


def test_more_data_is_trained_on_again_and_within_the_month_s_hours(world: World):
    more = spec_of(500)
    decision = world.decide(more)
    assert decision.sentence.startswith("retrain: 859 examples, +30% beside those of version 1")
    assert decision.facts.features and decision.facts.targets
    assert min(one.p_value for one in decision.facts.features) > 0.001
    spec = unpack_spec(pack_spec(decided_spec(more, decision)))
    assert (spec.start.model, spec.start.only, spec.policy) == ("models:/small/1", True, None)
    assert spec.retrain.start is None and spec.tracking.tags["cellwright.policy"] == decision.sentence
    assert spec.tracking.tags["cellwright.reasons"] == "new_data"
    from_weights = spec_of(500, policy={"weights": "champion", "score": None})
    assert decided_spec(from_weights, decision).retrain.start == "models:/small/1"
    poor = world.decide(spec_of(500, policy={"hours_per_month": 2.2, "score": None}))
    assert poor.sentence.endswith("; but a retrain takes 0.5 hours, and 0.2 of the month's 2.2 are left")


def test_retraining_takes_the_champion_s_architecture_without_a_search(world: World, tmp_path: Path):
    spec = world.tracked(decided_spec(spec_of(500), world.decide(spec_of(500))))
    search(spec, {"prepare": tmp_path / "data-500"}, tmp_path, Silent())
    found = SearchResult.load(tmp_path / "search.json")
    assert found.genotype.to_line() == world.genotype
    assert found.events == ("nothing was searched: this is the architecture of models:/small/1",)


def test_a_champion_that_scores_less_on_new_labels_is_trained_again_and_a_search_starts_from_it(world: World):
    spec = spec_of(310, policy={"score": {"then": "search"}, "new_data": None})
    decision = world.decide(spec)
    assert decision.action == "search" and decision.facts.dropped.score < 0.5
    assert "scores" in decision.sentence and "on new labels, below 0.9 by more than 0.02" in decision.sentence
    start = decided_spec(spec, decision).start
    assert (start.model, start.only) == ("models:/small/1", False)


def test_where_rows_were_kept_a_classifier_compares_them_too(world: World):
    prepared, file = (
        PreparedData.open(world.folder / "data-300"),
        "model/extra_files/data_summary.safetensors",
    )
    rows = summarise(prepared.train, prepared.manifest.inputs, rows=True)
    save_tensors(world.folder / file, rows, True)
    MlflowClient(world.uri).set_model_version_tag(
        "small", "1", "cellwright.files", canonical_json(digests(world.folder / "model"))
    )
    features = world.decide(spec_of(500)).facts.features
    assert [(one.name, one.p_value > 0.01) for one in features if one.test == "classifier"] == [
        ("their combination", True)
    ]


def test_drift_of_features_is_named(world: World, monkeypatch: pytest.MonkeyPatch):
    def darker(split, names, *, rows):
        found = summarise(split, names, rows=rows)
        return {name: x / 2 if x.is_floating_point() else x for name, x in found.items()}

    monkeypatch.setattr("cellwright.steps.decide.summarise", darker)
    decision = world.decide(spec_of(310))
    assert decision.action == "search" and "features drifted, the most image" in decision.sentence


def test_a_champion_of_other_classes_asks_for_a_search(world: World):
    files = world.folder / "model/extra_files"
    info = json.loads((files / "model_info.json").read_text())
    info["class_names"][9] = "nine"
    write_text(files / "model_info.json", json.dumps(info))
    client = MlflowClient(world.uri)
    client.set_model_version_tag(
        "small", "1", "cellwright.files", json.dumps(digests(world.folder / "model"))
    )
    decision = world.decide(spec_of(310))
    assert decision.sentence.startswith(
        "search: the champion cannot be used on this data: the classes of version 1"
    )


@pytest.mark.parametrize("source", ["mlflow", "file"])
def test_a_live_metric_is_read_from_mlflow_or_a_file(world: World, source: str, tmp_path: Path):
    (tmp_path / "live.json").write_text('{"live": 0.6}')
    place = "mlflow" if source == "mlflow" else str(tmp_path / "live.json")
    live = {"metric": "live", "at_least": 0.8, "read_from": place}
    sentence = world.decide(spec_of(310, policy={"live": live, "score": None})).sentence
    assert (
        sentence
        == f"search: the live metric live must be at least 0.8, got {0.7 if source == 'mlflow' else 0.6}"
    )
    with pytest.raises(CellwrightError, match="must have the metric auc as a finite number, got None"):
        world.decide(spec_of(310, policy={"live": live | {"metric": "auc"}, "score": None}))


def test_a_live_metric_that_says_nothing_is_refused(world: World, tmp_path: Path):
    path = tmp_path / "live.json"
    spec = spec_of(
        310, policy={"live": {"metric": "a", "at_least": 0.8, "read_from": str(path)}, "score": None}
    )
    for content, message in {
        "": "must be a JSON object: ",
        "[0.9]": "must be a JSON object, got ",
        '{"a": NaN}': "as a finite number, got nan",
        '{"a": "0.9"}': "as a finite number, got '0.9'",
    }.items():
        path.write_text(content)
        with pytest.raises(CellwrightError, match=f"policy.live: .*{message}"):
            world.decide(spec)


def test_predictions_in_use_are_compared_with_those_on_the_test_split(world: World, tmp_path: Path):
    names, counts = tuple("0123456789"), np.eye(10, dtype=int) * 40
    evaluation = EvaluationResult(
        num_examples=400,
        objective="accuracy",
        device="cpu",
        found=ModelScore(name="found", genotype=None, metrics={}),
        baselines=(),
        comparisons=(),
        confusion=Confusion(names=names, counts=tuple(map(tuple, counts.tolist()))),
    )
    path = tmp_path / "statistics.jsonl"
    spec = spec_of(310, policy={"served": {"read_from": str(path)}, "score": None})

    def sentence(content: str) -> str:
        path.write_text(content)
        return world.decide(spec).sentence

    assert sentence("") == "nothing: nothing asks for work"  # as versions of before have no evaluation
    evaluation.save(world.folder / "model/extra_files" / EvaluationResult.FILE)
    MlflowClient(world.uri).set_model_version_tag(
        "small", "1", "cellwright.files", canonical_json(digests(world.folder / "model"))
    )
    usual, odd = dict.fromkeys(names, 20), dict.fromkeys(names, 20) | {"3": 120}
    lines = [
        json.dumps({"version": version, "labels": labels}) + "\n"
        for version, labels in (("small/1", usual), ("small/2", odd), ("small/1", odd))
    ]
    assert sentence("") == sentence("".join(lines[:2])) == "nothing: nothing asks for work"
    assert sentence("".join(lines)).startswith(
        "search: the champion predicts other classes in use than on its test split (chi-squared "
    )
    for line in ("{", "[]", '{"labels": {}}', '{"version": "small/1", "labels": {"0": "many"}}'):
        with pytest.raises(CellwrightError, match=r"policy.served: .*statistics.jsonl, line 2 must be what"):
            sentence(lines[0] + line)


def test_in_a_race_the_champion_has_its_weights_if_they_have_not_seen_what_judges_them(world: World):
    race = {"strategy": {"kind": "race"}, "space": {"kind": "stages"}}
    live = {"metric": "live", "at_least": 0.8}
    spec = spec_of(310, **race, policy={"live": live, "weights": "champion", "score": None})

    def start(seen: str | None):
        if seen:
            hashes = example_hashes(getattr(PreparedData.open(world.folder / "data-310"), seen))
            save_tensors(world.folder / "model/extra_files/trained_on.safetensors", {"examples": hashes})
            MlflowClient(world.uri).set_model_version_tag(
                "small", "1", "cellwright.files", canonical_json(digests(world.folder / "model"))
            )
        decision = world.decide(spec)
        assert decision.action == "search"
        assert decision.facts.seen == {"test": 359, "train": 0, None: None}[seen]
        again = decided_spec(spec, decision.model_copy(update={"action": "retrain"}))
        assert (again.start.only, again.start.weights, again.retrain.start) == (True, True, None)
        return decided_spec(spec, decision).start

    assert [start(seen).weights for seen in (None, "test", "train")] == [False, False, True]


def test_without_a_summary_of_its_data_drift_is_not_measured(world: World, tmp_path: Path):
    (tmp_path / "model/extra_files/data_summary.safetensors").unlink()
    facts = world.decide(spec_of(310)).facts
    assert (facts.features, facts.targets) == (None, None)


def test_without_a_champion_there_is_a_search(uri: str, tmp_path: Path):
    decision = World(uri, tmp_path, "").decide(spec_of())
    assert decision.sentence == "search: there is no champion yet"
    assert decided_spec(spec_of(), decision).start == spec_of().start


class Artifact:
    def __init__(self, path: Path) -> None:
        self.path, self.metadata = str(path), {}


def test_the_component_returns_what_to_do_and_writes_the_spec_of_the_steps_that_follow(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cellwright_components.running.exit_with_peer", lambda file: None)
    chosen = tmp_path / "chosen"
    word = pack_spec(world.tracked(spec_of()))
    given = (
        word,
        str(tmp_path),
        "run",
        Artifact(tmp_path / "data-300"),
        Artifact(tmp_path / "decided"),
        str(chosen),
    )
    assert decide_component.python_func(*given) == "nothing"
    assert PolicyDecision.load(tmp_path / "decided/decision.json").action == "nothing"
    assert unpack_spec(chosen.read_text()).policy is None


def test_a_search_says_what_starting_from_the_champion_saved():
    from cellwright.candidate import Candidate
    from cellwright.evaluation import Evaluation, Objective
    from cellwright.search.warm_start import start_worth

    space, objective = build_space(spec_of().space), Objective(metric="accuracy")
    spec = spec_of(start={"model": "models:/small/1"})
    rng = random.Random(0)
    found = [
        Evaluation(number=i, candidate=Candidate(genotype=space.sample(rng)), metrics={"accuracy": score})
        for i, score in enumerate([0.8, 0.6, 0.7, 0.85])
    ]
    assert start_worth(spec, objective, found) == (
        "the architecture of models:/small/1 had accuracy 0.8 at once; the 3. other one reached it, so starting there "
        "saved 2"
    )
    assert start_worth(spec, objective, found[:3]).endswith("none of the 2 others reached it")
