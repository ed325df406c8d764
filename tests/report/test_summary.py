import io

import pytest
from rich.console import Console

from cellwright.report.run_report import answer
from cellwright.report.summary import summarise
from cellwright.results import Comparison, Interval, RacedNetwork, RaceResult
from tests.report.results import EVALUATION, LINE, REGISTRATION, SEARCH


def shown(width: int = 120, **results) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(summarise(seed=7, **results), crop=False)
    return stream.getvalue()


def test_every_number_says_what_it_was_measured_on():
    text = shown(search=SEARCH, evaluation=EVALUATION, registration=REGISTRATION)
    for part in (
        "normal cell",
        "reduce cell",
        "Found in epoch 2 of 3, 61 s; the supernet scores 0.9375 there on the validation split.",
        "stopped: the budget of 60 s is spent",
        "warning: the alphas decided almost nothing",
        "On the test split: 359 examples, one seed (7)",
        "Intervals cover the choice of examples, not of seeds.",
        "x86_64 CPU, 2 threads",
        "Registered as digits version 3, alias challenger: models:/digits@challenger",
    ):
        assert part in text


def test_a_race_lists_all_that_was_tried_and_says_why_the_winner_won():
    line = RacedNetwork(
        name="resnet",
        genotype=SEARCH.genotype,
        step_ms=12.3,
        epochs=40,
        share=0.042,
        loss=0.31,
        score=0.91,
        p_better=None,
        outcome="won",
    )
    other = line.model_copy(
        update={"name": "plain", "p_better": 0.07, "outcome": "dropped after 4.2% of the budget"}
    )
    race = RaceResult(
        sentence="chosen over plain (P = 0.93, 2,000 validation examples)",
        steps=900,
        done=40,
        precision="float32",
        leaderboard=(line, other),
    )
    text = shown(search=SEARCH.model_copy(update={"race": race, "epoch": None, "events": (race.sentence,)}))
    rows = {row[0]: row[1:] for line in text.splitlines() if (row := cells(line))}
    assert rows["resnet"] == ["12.3", "4.2%", "0.3100", "0.9100", "", "won"]
    assert rows["plain"][4:] == ["0.07", "dropped after 4.2% of the budget"]
    assert race.sentence in text
    assert "fresh seeds" not in text
    assert answer(EVALUATION.model_copy(update={"comparisons": ()}), race).endswith(f"; {race.sentence}.")


def test_each_network_has_a_row():
    rows = {row[0]: row for line in shown(evaluation=EVALUATION).splitlines() if (row := cells(line))}
    assert rows["found"][1:] == [
        "0.9850",
        "[0.9750, 0.9950]",
        "0.02",
        "41.2 k",
        "1.23 M",
        "0.50 / 0.75",
        "16.00 / 24.00",
    ]
    assert rows["random-0"][4] == "1 M"
    assert rows["resnet"][4] == "512"


def test_a_line_of_a_genotype_is_never_broken():
    assert LINE in shown(width=40, search=SEARCH).splitlines()


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.05, "excludes zero, found is better"),
        (-0.05, -0.01, "excludes zero, found is worse"),
        (-0.01, 0.03, "includes zero"),
    ],
)
def test_a_difference_says_whether_its_interval_excludes_zero(low, high, verdict):
    difference = Comparison(
        baseline="resnet", difference=(low + high) / 2, interval=Interval(low=low, high=high)
    )
    text = shown(evaluation=EVALUATION.model_copy(update={"comparisons": (difference,)}))
    assert f"[{low:+.4f}, {high:+.4f}]: the interval {verdict}" in text


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")] if line.startswith("│") else []
