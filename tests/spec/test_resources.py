"""GPUs that steps and their trials hold, and the hours that they cost."""

import pytest

from cellwright.results import StepRecord
from cellwright.spec import SearchSpec

DIGITS = {
    "name": "digits",
    "data": {"source": "digits"},
    "resources": {"gpus": 1},
    "store": {"uri": "s3://b/k"},
}
SAMPLED = {"strategy": {"kind": "random"}, "space": {"kind": "darts"}}
KATIB = {"kind": "katib", "parallel": 3}


@pytest.mark.parametrize(
    ("keys", "search", "retrain"),
    [
        ({}, 1, 1),
        (SAMPLED, 1, 1),
        ({**SAMPLED, "runner": {"kind": "local", "parallel": 3}}, 1, 1),
        ({**SAMPLED, "runner": KATIB}, 1 + 3, 1),
        ({**SAMPLED, "runner": {**KATIB, "resources": {"gpus": 2}}}, 1 + 6, 1),
        (
            {
                **SAMPLED,
                "runner": {**KATIB, "resources": {"gpus": 2}},
                "pipeline": {"resources": {"search": {"gpus": 0}, "retrain": {"gpus": 4}}},
            },
            6,
            4,
        ),
    ],
)
def test_gpus_of_a_step_are_its_own_and_those_of_trials_elsewhere(keys: dict, search: int, retrain: int):
    spec = SearchSpec.model_validate({**DIGITS, **keys})
    assert (spec.gpus_of("search"), spec.gpus_of("retrain")) == (search, retrain)


@pytest.mark.parametrize(("gpus", "hours"), [(0, 2), (1, 2), (4, 8)])
def test_an_hour_counts_for_each_gpu(gpus: int, hours: float):
    values = {
        "step": "search",
        "key": "0" * 16,
        "inputs": {},
        "settings": None,
        "version": "1",
        "seconds": 7200,
    }
    assert StepRecord(attempt="0001-01234567", files={}, gpus=gpus, **values).hours == hours
