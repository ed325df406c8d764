"""Promotions and rollbacks on a real registry."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cellwright.errors import CellwrightError
from cellwright.results import GateCheck, GateDecision
from cellwright.tracking import Champion, ChampionMoved, Lifecycle, NotPromoted, champion, model_version
from cellwright.tracking.models import assign_alias
from cellwright.tracking.registry import find_version

DECISION = GateDecision(
    passed=True,
    champion=1,
    test_set="0" * 64,
    num_examples=100,
    look=1,
    level=0.025,
    checks=(GateCheck(passed=True, sentence="better by far"),),
)
Killed = Callable[[object, str, int, Callable[[], object]], None]


@pytest.fixture
def client(uri: str, tmp_path: Path) -> MlflowClient:
    """A registry with a model of four versions, the first of which is the champion."""
    client = MlflowClient(uri)
    client.create_registered_model("shoes")
    for number in range(1, 5):
        client.create_model_version("shoes", source=str(tmp_path), tags={"cellwright.data": f"data {number}"})
    assign_alias(client, "shoes", 1)
    return client


@pytest.fixture
def shoes(client: MlflowClient, uri: str) -> Lifecycle:
    return Lifecycle(uri=uri, name="shoes")


def promote(shoes: Lifecycle, version: int, expected: int | None, *, force: bool = False):
    owner = f"promotion of {version}"
    return shoes.promote(
        version, expected=expected, who="ann", why="better", evidence=DECISION, owner=owner, force=force
    )


def rollback(shoes: Lifecycle, owner: str = "a"):
    return shoes.rollback(who="ben", why="complaints", owner=owner)


def story(shoes: Lifecycle) -> list[tuple[str, int | None, int]]:
    return [(move.kind, move.from_version, move.to_version) for move in shoes.moves()]


def test_a_promotion_says_who_when_from_to_why_and_on_what_evidence(client: MlflowClient, shoes: Lifecycle):
    client.set_registered_model_alias("shoes", "challenger", "2")
    promote(shoes, 2, 1)
    assert shoes.champion() == Champion(version=2, data="data 2")
    first, move = shoes.moves()
    assert (first.kind, first.from_version, first.to_version) == ("first", None, 1)
    assert (move.who, move.why, move.evidence) == ("ann", "better", "passed: better by far")
    assert move.when.endswith("+00:00")
    model = client.get_registered_model("shoes")
    assert model.aliases == {"champion": 2}
    assert not [tag for tag in model.tags if tag.startswith(champion.CLAIM_TAG)]


def test_a_promotion_against_another_champion_is_refused(shoes: Lifecycle):
    promote(shoes, 2, 1)
    with pytest.raises(ChampionMoved, match="must be version 1, as when this was decided, got version 2"):
        promote(shoes, 3, 1)
    assert promote(shoes, 2, 1) == shoes.moves()[-1]  # made already
    assert story(shoes) == [("first", None, 1), ("promotion", 1, 2)]


def test_of_several_promotions_at_once_one_wins(shoes: Lifecycle):
    def attempt(version: int) -> str:
        try:
            return f"{promote(shoes, version, 1).to_version}"
        except ChampionMoved:
            return "refused"

    with ThreadPoolExecutor(3) as pool:
        outcomes = sorted(pool.map(attempt, (2, 3, 4)))
    assert outcomes[1:] == ["refused", "refused"]
    assert story(shoes)[1:] == [("promotion", 1, int(outcomes[0]))]
    assert shoes.champion().version == int(outcomes[0])


def test_the_history_has_versions_and_moves(client: MlflowClient, shoes: Lifecycle):
    run = client.create_run(client.create_experiment("shoes"))
    for name, value in {"found/test_accuracy": 0.9, "found/test_accuracy_low": 0.8, "cost/hours": 2}.items():
        client.log_metric(run.info.run_id, name, value)
    tags = {"cellwright.reasons": "drift, age", "cellwright.gate": DECISION.model_dump_json()}
    client.create_model_version("shoes", source="/", run_id=run.info.run_id, tags=tags)
    promote(shoes, 5, 1)
    history = shoes.history("accuracy")
    last = history.versions[-1]
    assert [version.version for version in history.versions] == [1, 2, 3, 4, 5]
    assert (last.score, last.low, last.high, last.hours) == (0.9, 0.8, None, 2)
    assert (last.reasons, last.passed, last.action) == (("drift", "age"), True, "search")
    assert [(move.kind, move.version) for move in history.moves] == [("first", 1), ("promotion", 5)]


def test_a_name_may_have_an_at(client: MlflowClient):
    client.create_registered_model("a@b")
    client.create_model_version("a@b", source="/")
    client.set_registered_model_alias("a@b", "champion", "1")
    for address in ("models:/a@b@champion", "models:/a@b/1"):
        assert find_version(client, address).name == "a@b"


@pytest.mark.parametrize("version", ["", "/latest", "/versions/1", "/Production", "@", "/1/2"])
def test_an_address_of_another_form_is_refused_with_the_forms_that_there_are(shoes: Lifecycle, version: str):
    with pytest.raises(CellwrightError, match="must be models:/NAME@ALIAS or models:/NAME/VERSION, got"):
        model_version(shoes.uri, f"models:/shoes{version}")


def test_rollbacks_go_back_one_champion_at_a_time(shoes: Lifecycle):
    promote(shoes, 2, 1)
    promote(shoes, 3, 2)
    assert rollback(shoes, "a").to_version == 2
    assert rollback(shoes, "a").to_version == 2  # the same one, asked again
    assert rollback(shoes, "b").to_version == 1
    with pytest.raises(NotPromoted, match="version 1 must have replaced a champion"):
        rollback(shoes, "c")
    assert story(shoes)[3:] == [("rollback", 3, 2), ("rollback", 2, 1)]


def test_a_version_that_was_rolled_back_is_neither_promoted_again_nor_skipped(
    client: MlflowClient, shoes: Lifecycle
):
    promote(shoes, 2, 1)
    rollback(shoes)
    with pytest.raises(NotPromoted, match="shoes version 2 was rolled back"):
        promote(shoes, 2, 1)
    client.set_registered_model_alias("shoes", "champion", "2")  # by hand
    promote(shoes, 3, 2)
    with pytest.raises(NotPromoted, match="version 2, the champion before version 3, was rolled back itself"):
        rollback(shoes)
    promote(shoes, 2, 3, force=True)
    promote(shoes, 4, 2)
    assert rollback(shoes, "b").to_version == 2


@pytest.mark.parametrize(
    ("method", "nth"), [("set_registered_model_tag", 2), ("set_registered_model_alias", 1)]
)
def test_a_killed_promotion_is_made_when_it_is_repeated(
    client: MlflowClient, shoes: Lifecycle, killed_at: Killed, method: str, nth: int
):
    killed_at(MlflowClient, method, nth, lambda: promote(shoes, 2, 1))
    assert shoes.champion().version == 1
    promote(shoes, 2, 1)
    assert story(shoes) == [("first", None, 1), ("promotion", 1, 2)]


def test_the_claim_of_a_dead_process_lapses(
    client: MlflowClient, shoes: Lifecycle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(champion, "STALE", 0.3)
    monkeypatch.setattr(champion, "PAUSE", 0.05)
    client.set_registered_model_tag("shoes", f"{champion.CLAIM_TAG}0", "dead")
    promote(shoes, 2, 1)
    assert not [tag for tag in client.get_registered_model("shoes").tags if "moving" in tag]


def test_a_promotion_waits_for_one_in_progress(
    client: MlflowClient, shoes: Lifecycle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(champion, "LONGEST", 0.2)
    client.set_registered_model_tag("shoes", f"{champion.CLAIM_TAG}0", "alive")
    with pytest.raises(NotPromoted, match="another process has been moving the champion of shoes"):
        promote(shoes, 2, 1)
    assert shoes.champion().version == 1


def test_looks_are_the_versions_of_other_runs_that_were_compared_on_the_test_set(
    client: MlflowClient, shoes: Lifecycle, tmp_path: Path
):
    assert shoes.look("0" * 64, "one") == 1
    for key in ("one", "two"):
        tags = {"cellwright.run": key, "cellwright.gate": DECISION.model_dump_json()}
        client.create_model_version("shoes", source=str(tmp_path), tags=tags)
    assert [shoes.look("0" * 64, key) for key in ("one", "two", "three")] == [2, 2, 3]
    assert shoes.look("1" * 64, "three") == 1
    assert (shoes.decided("one"), shoes.decided("three")) == (DECISION, None)
    assert Lifecycle(uri=shoes.uri, name="o'ther").look("0" * 64, "one") == 1


def test_a_model_that_is_not_there_yet_has_no_champion(uri: str):
    assert Lifecycle(uri=uri, name="boots").champion() is None
    with pytest.raises(CellwrightError, match="registered model 'boots'"):
        Lifecycle(uri=uri, name="boots").moves()


def test_a_decision_is_on_its_version(shoes: Lifecycle):
    assert shoes.decision(2) is None
    shoes.record(2, DECISION)
    assert shoes.decision(2) == DECISION


def test_versions_are_found_by_number_or_alias(shoes: Lifecycle):
    assert [shoes.version(name) for name in ("3", "@champion")] == [3, 1]
    for wrong in ("9", "@none"):
        with pytest.raises(CellwrightError, match="registered model 'shoes'"):
            shoes.version(wrong)
