from pathlib import Path

import pytest

from benchmarks.fashion_mnist import CONTENDERS, RESNET_WHOLE, missing, write_report
from benchmarks.fashion_table import Outcome, table
from benchmarks.outcomes import append_outcome, load_outcomes


def outcome(contender: str, seed: int, accuracy: float) -> Outcome:
    return Outcome(
        contender=contender,
        seed=seed,
        test_accuracy=accuracy,
        genotype=None,
        params=12_345,
        macs=2_500_000,
        search_epochs=0,
        search_seconds=0.0,
        retrain_epochs=9,
        retrain_seconds=310.4,
        versions={"torch": "2"},
    )


@pytest.fixture
def outcomes() -> list[Outcome]:
    return [
        *(outcome("random", seed, accuracy) for seed, accuracy in enumerate((0.88, 0.89, 0.90))),
        *(outcome("darts", seed, accuracy) for seed, accuracy in enumerate((0.91, 0.92))),
        outcome("spos", 0, 0.87),
    ]


def rows(text: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells}


def test_rows_hold_means_spreads_and_differences(outcomes: list[Outcome]):
    of = rows(table(outcomes, CONTENDERS, "random"))
    assert list(of) == ["contender", "---", "darts", "spos", "random"]
    assert of["random"] == [
        "0, 1, 2", "89.00 ± 1.00", "88.00, 90.00", "", "12,345", "2.5", "", "", "9", "310"
    ]  # fmt: skip
    assert of["darts"][1] == "91.50 ± 0.71"
    assert of["spos"][1:4] == ["87.00", "87.00, 87.00", "-2.00"]


def test_intervals_are_welchs(outcomes: list[Outcome]):
    # by hand: 2.5 ± t(0.975, 2.88 degrees of freedom) 3.26 × sqrt(1/3 + 0.5/2)
    assert rows(table(outcomes, CONTENDERS, "random"))["darts"][3] == "+2.50 (+0.01 to +4.99)"


def test_what_the_bars_need_is_run_first_and_nothing_twice(outcomes: list[Outcome]):
    left = list(missing([0, 1], CONTENDERS, outcomes))
    assert left[:4] == [("beta-darts", 0), ("random-ws", 0), ("beta-darts", 1), ("random-ws", 1)]
    assert len(left) == len(set(left)) == 2 * len(CONTENDERS) - 5
    assert not set(left) & {(run.contender, run.seed) for run in outcomes}
    assert list(missing([0], [RESNET_WHOLE], outcomes)) == [(RESNET_WHOLE, 0)]


def test_a_report_is_made_of_the_lines_that_runs_left(outcomes: list[Outcome], tmp_path: Path):
    lines = tmp_path / "docs" / "runs.jsonl"
    for run in outcomes:
        append_outcome(lines, run)
    assert load_outcomes(lines, Outcome) == outcomes
    write_report(lines)
    assert table(outcomes, CONTENDERS, "random") in lines.with_suffix(".md").read_text()
