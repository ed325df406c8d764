"""What a step's surroundings say of tracking."""

import pytest

from cellwright.spec import SearchSpec, Tracking

KFP = {"MLFLOW_TRACKING_URI": "http://mlflow", "MLFLOW_RUN_ID": "abc", "MLFLOW_EXPERIMENT_ID": "1"}


@pytest.mark.parametrize(
    ("said", "environ", "uri", "run_id"),
    [
        ({}, {}, None, None),
        ({}, {"MLFLOW_TRACKING_URI": "http://mlflow"}, "http://mlflow", None),
        ({}, KFP, "http://mlflow", "abc"),
        ({"uri": "http://mlflow"}, KFP, "http://mlflow", "abc"),
        ({"uri": "http://other"}, KFP, "http://other", None),
        ({"run_id": "mine"}, KFP, "http://mlflow", "mine"),
        ({}, {"MLFLOW_RUN_ID": "abc"}, None, None),
        ({}, {"MLFLOW_TRACKING_URI": "", "MLFLOW_RUN_ID": ""}, None, None),
    ],
)
def test_the_spec_comes_first(said, environ, uri, run_id):
    tracking = Tracking(**said).completed(environ)
    assert (tracking.uri, tracking.run_id) == (uri, run_id)


def test_a_run_of_kfp_becomes_a_tag():
    assert Tracking(tags={"a": "b"}).completed({}, kfp_run_id="r").tags == {"a": "b", "kfp.run_id": "r"}


def test_where_it_is_tracked_does_not_change_what_a_spec_is():
    spec = SearchSpec.model_validate({"name": "a", "data": {"source": "digits"}})
    assert spec.completed(KFP, kfp_run_id="r").digest == spec.digest
