"""Races between small networks, from the spec to the winner's trained network."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from onnxruntime import InferenceSession

from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split
from cellwright.data.trained_on import example_hashes
from cellwright.nn.cost import count_params
from cellwright.progress import Silent
from cellwright.results import ONNX, SearchResult, TrainingResult
from cellwright.search.pricing import Prices
from cellwright.search.racing import (
    STARTED,
    Plan,
    PlannedNetwork,
    _unseen,
    available,
    race_search,
    size_networks,
)
from cellwright.search.trial import setting_of
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec, Start
from cellwright.step_list import STEPS
from cellwright.steps.running import run_step
from cellwright.tasks.images.section import ImagesSection
from cellwright.training.checkpoint import load_tensors, save_tensors, unprefixed
from cellwright.training.course import WINNER, Course
from cellwright.training.networks import continue_network, genotype_network, load_network
from cellwright.training.starting_weights import StartingWeights
from cellwright.training.stopped_network import STOPPED

SPEC = SearchSpec.model_validate(
    {
        "name": "small",
        "data": {"source": "digits", "limit": 300},
        "augment": {"shift": 0, "rotate": 0, "scale": 0},
        "space": {"kind": "stages"},
        "strategy": {"kind": "race", "fewest_epochs": 1},
        "retrain": {"batch_size": 32},
        "resources": {"cpu": 1},
    }
)
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from cellwright.progress import Silent
from cellwright.search.racing import race_search
from cellwright.spec import parse_spec

class Killing(Silent):
    def advance(self, task, done, total, metrics):
        os.kill(os.getpid(), signal.SIGKILL)

race_search(parse_spec(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), Killing())
"""


class Stopping(Silent):
    """Asks the process to end after so many slices."""

    def __init__(self, slices: int) -> None:
        self.left = slices

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


def plan(num_networks: int) -> Plan:
    """Return a stored plan: prices of a second a step, and a budget of 400."""
    designs = list(build_space(SPEC.space).hand_designed(8, 0.35).items())[:num_networks]
    return Plan(
        seconds=400,
        prices=Prices(precision="float32", seconds={}, constant=1.0, parts=(0.0, 0.0, 0.0)),
        first_share=0.03,
        networks=tuple(
            PlannedNetwork(
                name=name, genotype=genotype, step_seconds=1, check_seconds=1, steps=400, epochs=57
            )
            for name, genotype in designs
        ),
    )


@dataclass
class Raced:
    data: Path
    folder: Path
    result: SearchResult


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Raced:
    workspace = tmp_path_factory.mktemp("race")
    data = run_step(STEPS["prepare"], SPEC, {}, workspace, Silent())
    folder = workspace / "search"
    folder.mkdir()
    plan(3).save(folder / Plan.FILE)
    return Raced(data, folder, race_search(SPEC, data, folder, Silent()))


def test_the_leaderboard_lists_all_and_says_why_the_first_won(raced: Raced) -> None:
    race = raced.result.race
    assert race is not None
    winner, *others = race.leaderboard
    assert winner.outcome == "won"
    assert raced.result.genotype == winner.genotype
    assert len(others) == 2
    assert all(other.outcome.startswith("dropped after") for other in others)
    assert all(other.p_better is not None and other.p_better < 0.5 for other in others)
    assert race.sentence.startswith(("chosen over", "nothing was shown to beat"))
    assert "75 validation examples" in race.sentence
    assert raced.result.events == (race.sentence,)


def test_the_winner_gets_what_the_others_left(raced: Raced) -> None:
    race = raced.result.race
    assert race is not None
    on_others = sum(network.share for network in race.leaderboard[1:])
    assert race.steps < 400 * (1 - on_others)
    assert race.steps > 400 * (1 - on_others) - 20  # checks
    assert race.done < 0.6 * 400


def test_a_race_killed_at_any_moment_ends_the_same(raced: Raced, tmp_path: Path) -> None:
    plan(3).save(tmp_path / Plan.FILE)
    command = [
        sys.executable,
        "-c",
        KILLED,
        SPEC.model_dump_json(by_alias=True),
        str(raced.data),
        str(tmp_path),
    ]
    killed = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=200)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(SystemExit) as stopped:
        race_search(SPEC, raced.data, tmp_path, Stopping(3))
    assert stopped.value.code == 128 + signal.SIGTERM
    (images,) = PreparedData.open(raced.data).test.inputs
    session = InferenceSession(tmp_path / STOPPED / ONNX)
    (logits,) = session.run(None, {session.get_inputs()[0].name: images[:5].numpy()})
    assert logits.shape == (5, 10)
    again = race_search(SPEC, raced.data, tmp_path, Silent())
    assert again.race == raced.result.race
    assert again.history == raced.result.history
    assert not (tmp_path / STOPPED).exists()
    tensors, whole = (load_tensors(folder / WINNER)[0] for folder in (tmp_path, raced.folder))
    assert tensors.keys() == whole.keys()
    assert all(torch.equal(tensors[name], whole[name]) for name in whole)


def test_the_winners_training_is_continued(raced: Raced, tmp_path: Path) -> None:
    data, race = PreparedData.open(raced.data), raced.result.race
    assert race is not None
    config = genotype_network(SPEC, data.manifest, raced.result.genotype)
    course = Course(steps=race.steps, cool_down=race.done, precision=race.precision)
    continue_network("found", config, data, SPEC, course, raced.folder / WINNER, tmp_path, Silent())
    history = TrainingResult.load(tmp_path / TrainingResult.FILE).history
    assert history[0].metrics["train_loss"] > history[-1].metrics["train_loss"]
    assert history[-1].metrics["learning_rate"] == pytest.approx(
        SPEC.retrain.learning_rate / (race.steps - race.done)
    )
    assert load_network(tmp_path) is not None


def test_one_network_has_the_whole_budget_and_nothing_is_trained(raced: Raced, tmp_path: Path) -> None:
    alone = plan(1)
    values = {"retrain.mixup": 0.2}
    networks = tuple(network.model_copy(update={"values": values}) for network in alone.networks)
    alone.model_copy(update={"networks": networks}).save(tmp_path / Plan.FILE)
    result = race_search(SPEC, raced.data, tmp_path, Silent())
    assert result.race is not None and result.tuned == values
    assert (result.race.done, result.race.steps) == (0, 400)
    assert "nothing was compared" in result.race.sentence
    assert not (tmp_path / WINNER).exists()


def test_a_plan_keeps_constraints_and_the_budget(raced: Raced, tmp_path: Path) -> None:
    update = {
        "constraints": {"params": 60_000},
        "budget": {"minutes": 0.5},
        "strategy": {"kind": "race", "entrants": 2},
    }
    spec = SearchSpec.model_validate({**SPEC.model_dump(by_alias=True), **update})
    lines: list[str] = []

    class Said(Silent):
        def log(self, message: str) -> None:
            lines.append(message)
            if "minutes of training" in message:
                raise KeyboardInterrupt  # the plan is there; the race is not what this is about

    with pytest.raises(KeyboardInterrupt):
        race_search(spec, raced.data, tmp_path, Said())
    made = Plan.load(tmp_path / Plan.FILE)
    manifest = PreparedData.open(raced.data).manifest
    assert made.seconds == pytest.approx(0.98 * 30)
    for network in made.networks:
        built = genotype_network(spec, manifest, network.genotype).build(seed=0)
        assert count_params(built) <= 60_000
        assert network.steps == int(made.seconds / network.step_seconds)
        assert math.isclose(network.epochs * (300 // 32), network.steps, rel_tol=0.01)


@pytest.mark.parametrize(
    ("epochs", "strategy", "retrain", "values"),
    [
        (100, {}, {}, ImagesSection.many_epochs),
        (100, {}, {"mixup": 0.4}, {"augment.erase": 0.3, "retrain.weight_decay": 0.2}),
        (100, {"recipe": "given"}, {}, {}),
        (10, {}, {}, {}),
    ],
)
def test_networks_that_see_each_example_often_are_trained_as_is_best_then(
    raced: Raced,
    epochs: float,
    strategy: dict[str, str],
    retrain: dict[str, float],
    values: dict[str, float],
) -> None:
    update = {
        "augment": {},
        "strategy": {"kind": "race", **strategy},
        "retrain": {"batch_size": 32, **retrain},
        "budget": {"minutes": 10},
    }
    spec = SearchSpec.model_validate({**SPEC.model_dump(by_alias=True), **update})
    setting = setting_of(spec, PreparedData.open(raced.data), torch.device("cpu"))
    step = available(spec) / epochs / (300 // 32)
    prices = Prices(precision="float32", seconds={}, constant=step, parts=(0.0, 0.0, 0.0))
    designs = build_space(spec.space).hand_designed(8, 1.0)
    (network, *_) = size_networks(spec, setting, designs, prices, lambda genotype: True, Silent())
    assert network.epochs == pytest.approx(epochs)
    assert network.values == network.candidate.values == values


@pytest.mark.parametrize(
    ("strategy", "augment", "flip"),
    [
        ({}, {}, "horizontal"),
        ({}, {"flip": "vertical"}, "vertical"),
        ({"recipe": "given"}, {}, "none"),
    ],
)
def test_images_that_are_recognised_in_a_mirror_are_mirrored_in_training(
    raced: Raced, strategy: dict[str, str], augment: dict[str, str], flip: str
) -> None:
    update = {"strategy": {"kind": "race", **strategy}, "augment": augment, "budget": {"minutes": 10}}
    spec = SearchSpec.model_validate({**SPEC.model_dump(by_alias=True), **update})
    setting = setting_of(spec, PreparedData.open(raced.data), torch.device("cpu"))
    train, validation = (
        Split((split.inputs[0] + split.inputs[0].flip(3),), split.targets)
        for split in (setting.train, setting.validation)
    )
    designs = build_space(spec.space).hand_designed(8, 1.0)
    prices = Prices(precision="float32", seconds={}, constant=1.0, parts=(0.0, 0.0, 0.0))
    setting = replace(setting, train=train, validation=validation)
    (network, *_) = size_networks(spec, setting, designs, prices, lambda genotype: True, Silent())
    assert spec.tuned(network.values).augment.flip == flip


def from_weights(raced: Raced, monkeypatch: pytest.MonkeyPatch) -> tuple[SearchSpec, PlannedNetwork]:
    """Return a spec that starts from a registered model, which the winner of the race is, and its network."""
    tensors, _ = load_tensors(raced.folder / WINNER)
    start = StartingWeights("small/1", unprefixed("average", tensors))
    monkeypatch.setattr("cellwright.search.racing.registered_weights", lambda spec, address: start)
    spec = SPEC.model_copy(update={"start": Start(model="models:/small/1", weights=True)})
    network = plan(1).networks[0].model_copy(update={"name": STARTED, "genotype": raced.result.genotype})
    return spec, network


def test_the_model_that_a_race_starts_from_takes_part_with_its_weights(
    raced: Raced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, network = from_weights(raced, monkeypatch)
    others = tuple(n for n in plan(2).networks if n.genotype != network.genotype)[:1]
    update = {"networks": (network, *others), "rows": tuple(range(0, 75, 2))}
    plan(2).model_copy(update=update).save(tmp_path / Plan.FILE)
    result = race_search(spec, raced.data, tmp_path, Silent())
    assert result.race is not None and result.race.leaderboard[0].name == STARTED
    assert result.events[1].startswith("models:/small/1 started with its weights and had loss ")
    assert "none of the others reached it" in result.events[1]
    first = json.loads((tmp_path / "evaluations.jsonl").read_text().splitlines()[0])
    assert len(first["losses"]) == 38
    assert first["metrics"]["loss"] < max(
        network.loss or math.inf for network in raced.result.race.leaderboard
    )


@pytest.mark.parametrize("seen", [10, 70])
def test_networks_are_compared_on_what_the_weights_have_not_seen_if_there_is_enough(
    raced: Raced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: int
) -> None:
    validation = PreparedData.open(raced.data).validation

    def download(spec: SearchSpec, address: str, name: str, folder: Path) -> Path:
        save_tensors(folder / name, {"examples": example_hashes(validation[:seen])})
        return folder / name

    monkeypatch.setattr("cellwright.search.warm_start.download", download)
    spec, _ = from_weights(raced, monkeypatch)
    setting = setting_of(spec, PreparedData.open(raced.data), torch.device("cpu"))
    rows = _unseen(spec, setting, Silent())
    assert rows is None if seen == 70 else sorted(rows) == list(range(10, 75))


def test_the_model_alone_is_trained_on_from_its_weights(
    raced: Raced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, network = from_weights(raced, monkeypatch)
    spec = spec.model_copy(update={"start": spec.start.model_copy(update={"only": True})})
    plan(1).model_copy(update={"networks": (network,)}).save(tmp_path / Plan.FILE)
    result = race_search(spec, raced.data, tmp_path, Silent())
    assert result.race is not None and (result.race.done, result.race.steps) == (0, 400)
    taken, winner = (load_tensors(folder / WINNER)[0] for folder in (tmp_path, raced.folder))
    for name, tensor in unprefixed("network", taken).items():
        if name.endswith("weight"):
            assert torch.equal(tensor, winner[f"average/{name}"])
