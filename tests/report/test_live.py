"""What a run shows while it works: on a terminal, in a log, and in a notebook."""

import io
import sys
from types import ModuleType

import pytest
from rich.console import Console

from cellwright.progress import Progress, Update
from cellwright.report import live
from cellwright.report.board import Board, format_time
from cellwright.report.live import LiveProgress, NotebookProgress, PlainProgress


def terminal() -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=120, color_system=None, legacy_windows=False
    )


def search(progress: Progress) -> None:
    """Report what a small search would."""
    progress.update(Update("step", "prepare", "running"))
    progress.update(Update("step", "prepare", "done", {"seconds": 1.23}))
    progress.update(Update("step", "search", "running"))
    for name, loss in (("resnet", 0.123456), ("mobilenet", 0.25)):
        progress.update(Update("trial", name, "running"))
        progress.update(Update("trial", name, "done", {"loss": loss}, -loss))
    progress.update(Update("trial", "mobilenet", "dropped"))
    progress.update(Update("trial", "resnet", "running"))
    progress.advance("race", 12, 100, {"minutes_left": 1.5})


def test_bars_keep_the_newest_metrics_and_facts_stand_above():
    console = terminal()
    with LiveProgress(console) as progress:
        progress.log("prepare: reusing [/runs/digits]")
        progress.advance("search", 1, 4, {"train_loss": 2.0})
        progress.advance("train found", 2, 2, {})
        progress.advance("search", 3, 4, {"train_loss": 0.51234, "skip_fraction": 0.25})
    shown = console.file.getvalue()
    assert "prepare: reusing [/runs/digits]" in shown
    last = shown[shown.rindex("search  ") :]
    assert "3/4" in last and "train loss 0.5123, skip fraction 0.25" in last
    assert "train found" in last and "2/2" in last


def test_a_terminal_shows_the_steps_a_table_of_trials_the_best_and_the_time_left():
    console = terminal()
    with LiveProgress(console) as progress:
        search(progress)
    shown = console.file.getvalue()
    last = shown[shown.rindex("prepare done") :]
    assert "prepare done after 1 s, search running" in last
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in last.splitlines() if "│" in line]
    assert rows == [["resnet", "running", "0.1235"], ["mobilenet", "dropped", "0.25"]]
    assert "best so far: resnet, loss 0.1235" in last
    assert "12/100 90 s left" in " ".join(last.split())


def test_the_table_has_those_that_run_and_the_best_of_many():
    board, console = Board(), terminal()
    for number in range(50):
        board.update(Update("trial", f"t{number}", "done", {"accuracy": number / 50}, number / 50))
    board.update(Update("trial", "t50", "running"))
    console.print(board.draw())
    shown = console.file.getvalue()
    listed = [line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│")]
    assert listed == ["t49", "t48", "t47", "t46", "t45", "t44", "t43", "t50"]
    assert "and 43 more" in shown


def test_a_log_has_a_short_line_for_each_event():
    stream = io.StringIO()
    progress = PlainProgress(stream, has_clock=False)
    progress.log("race: two\nlines \x1b[2J")
    search(progress)
    assert stream.getvalue().splitlines() == [
        "race: two lines \N{REPLACEMENT CHARACTER}[2J",
        "prepare: running",
        "prepare: done after 1 s",
        "search: running",
        "trial resnet: done, loss 0.1235",
        "trial mobilenet: done, loss 0.25",
        "trial mobilenet: dropped, loss 0.25",
        "race 12/100: 90 s left",
    ]


def test_lines_of_a_log_begin_with_the_time_since_the_start():
    stream = io.StringIO()
    PlainProgress(stream).log("first")
    assert stream.getvalue() == "   0 s  first\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (9000, "2.5 h")]
)
def test_times_have_the_unit_that_suits_them(seconds: float, words: str):
    assert format_time(seconds) == words


class Cell:
    """A fake IPython that records the output of a cell."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, drawing, *, display_id: bool) -> "Cell":
        assert display_id
        self.update(drawing)
        return self

    def update(self, drawing) -> None:
        self.shown.append(drawing._repr_mimebundle_(include=(), exclude=())["text/html"])


def test_a_notebook_shows_the_board_in_one_output_that_changes(monkeypatch: pytest.MonkeyPatch):
    cell = Cell()
    package, module = ModuleType("IPython"), ModuleType("IPython.display")
    module.display = cell.display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(live, "NOTEBOOK_SECONDS", 0.0)
    with NotebookProgress() as progress:
        progress.log("prepare: <b>")
        search(progress)
    assert "best so far" not in cell.shown[1]
    assert all(words in cell.shown[-1] for words in ("prepare: &lt;b&gt;", "best so far: resnet", "12/100"))
