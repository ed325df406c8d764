"""Specs of races."""

from typing import Any

import pytest

from cellwright.spec import SearchSpec

STAGES = {"name": "race", "data": {"source": "digits"}, "space": {"kind": "stages"}}


def spec(**sections: Any) -> SearchSpec:
    return SearchSpec.model_validate({**STAGES, **sections})


def test_stages_are_raced_unless_another_strategy_is_named() -> None:
    assert spec().strategy.kind == "race"
    assert spec(strategy={"entrants": 2}).strategy.kind == "race"
    assert spec(strategy={"kind": "random"}).strategy.kind == "random"
    assert SearchSpec.model_validate({**STAGES, "space": {"kind": "darts"}}).strategy.kind == "beta-darts"


def test_a_race_trains_nothing_else_unless_it_is_asked_to() -> None:
    baseline = spec().evaluate.baseline
    assert (baseline.random_architectures, baseline.hand_designed) == (0, None)
    asked = spec(evaluate={"baseline": {"hand_designed": "resnet"}}).evaluate.baseline
    assert (asked.random_architectures, asked.hand_designed) == (0, "resnet")
    again = SearchSpec.model_validate_json(spec().model_dump_json(by_alias=True))
    assert again == spec()


@pytest.mark.parametrize(
    ("budget", "seconds"), [({"minutes": 2}, 120), ({"gpu_hours": 0.5}, 1800), ({}, None)]
)
def test_a_budget_is_minutes_or_hours(budget: dict[str, float], seconds: float | None) -> None:
    assert spec(budget=budget).budget.seconds == seconds


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"budget": {"minutes": 1, "gpu_hours": 1}},
            "minutes must be left out where there are gpu_hours, got 1",
        ),
        (
            {"budget": {"minutes": 1}, "strategy": {"kind": "random"}},
            "budget.minutes and budget.gpu_hours are for strategy.kind race and elastic, got random",
        ),
        ({"objectives": [{"metric": "params"}]}, "objectives must be left out: strategy.kind race has none"),
        (
            {"estimators": [{"kind": "short-training", "epochs": 3}]},
            "estimators must omit short-training: strategy.kind race trains by itself",
        ),
        ({"retrain": {"start": "models:/race@champion"}}, "retrain.start must be left out"),
        ({"strategy": {"kind": "race", "scheduler": {"kind": "asha"}}}, "scheduler"),
    ],
)
def test_what_a_race_cannot_use_is_refused(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec(**sections)


def test_a_race_may_start_from_a_registered_model_and_nothing_else():
    values = {
        "name": "n",
        "data": {"source": "digits"},
        "space": {"kind": "stages"},
        "strategy": {"kind": "race"},
    }
    start = {"model": "models:/n@champion"}
    assert SearchSpec.model_validate({**values, "start": start}).start.model == start["model"]
    with pytest.raises(ValueError, match="start may have model alone"):
        SearchSpec.model_validate({**values, "start": {"search": "x"}})
