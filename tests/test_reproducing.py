"""What `cellwright reproduce` says of two runs; tests/test_whole_pipeline.py runs one again."""

from cellwright.environment import environment, read_environment
from cellwright.reproducing import Difference, Reproduction, _environments, _scores
from tests.report.results import EVALUATION


def reproduction(*causes: str, differs: bool = True) -> Reproduction:
    difference = Difference(what="found/accuracy", registered="0.985", reproduced="0.98")
    return Reproduction(
        address="shoes/3",
        compared=9,
        differences=(difference,) if differs else (),
        causes=tuple(Difference(what=cause, registered="", reproduced="") for cause in causes),
    )


def test_the_sentence_says_what_differs_and_why():
    assert reproduction(differs=False).sentence == "shoes/3: all 9 results are the same to the last digit"
    assert reproduction("data", "torch (2.12 then, 2.13 now)").sentence == (
        "shoes/3: 1 of 9 results differ (found/accuracy); what was not as in the first run: data; torch (2.12 then, "
        "2.13 now)"
    )
    assert "data, versions and machine are the same" in reproduction().sentence


def test_every_metric_of_every_model_is_compared():
    scores = _scores(EVALUATION)
    assert {name.partition("/")[0] for name in scores} == {
        EVALUATION.found.name,
        *(score.name for score in EVALUATION.baselines),
    }
    assert scores["found/accuracy"] == EVALUATION.found.metrics["accuracy"].value


def test_packages_that_compute_are_named_first_then_the_machine():
    now = read_environment(environment())
    assert now["python"].startswith("3.") and now["cpu"] and "torch" in now
    then = dict(now) | {"zipp": "1", "torch": "2.0", "cpu": "another one"}
    found = [each.what for each in _environments(then, now)]
    assert [what.partition(" ")[0] for what in found] == ["torch", "cpu", "zipp"]
    assert found[0] == f"torch (2.0 then, {now['torch']} now)"
