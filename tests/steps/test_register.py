import pytest

from cellwright.errors import CellwrightError
from cellwright.results import ModelScore, Score
from cellwright.steps.register import require_better
from tests.report.results import EVALUATION

RIVAL = ModelScore(name="linear", genotype=None, metrics={"accuracy": Score(value=0.99)})
BEATEN = EVALUATION.model_copy(update={"baselines": (*EVALUATION.baselines, RIVAL)})


@pytest.mark.parametrize("than", ["classical", "any"])
def test_a_network_that_a_baseline_beats_is_not_registered(than: str):
    message = "not registered: linear has accuracy 0.9900 on the test split, the found network 0.9850"
    with pytest.raises(CellwrightError, match=message):
        require_better(BEATEN, than)


@pytest.mark.parametrize("than", ["none", "hand-designed"])
def test_baselines_of_other_kinds_do_not_count(than: str):
    require_better(BEATEN, than)


def test_a_tie_is_registered():
    tied = RIVAL.model_copy(update={"metrics": EVALUATION.found.metrics})
    require_better(EVALUATION.model_copy(update={"baselines": (tied,)}), "any")


def test_there_must_be_such_a_baseline():
    with pytest.raises(
        CellwrightError, match="only_if_better_than is classical, but evaluate has no such baseline"
    ):
        require_better(EVALUATION, "classical")
