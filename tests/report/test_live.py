import io

from rich.console import Console

from cellwright.report.live import LiveProgress


def test_bars_keep_the_newest_metrics_and_facts_stand_above():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None, legacy_windows=False)
    with LiveProgress(console) as progress:
        progress.log("prepare: reusing [/runs/digits]")
        progress.advance("search", 1, 4, {"train_loss": 2.0})
        progress.advance("train found", 2, 2, {})
        progress.advance("search", 3, 4, {"train_loss": 0.51234, "skip_fraction": 0.25})
    shown = stream.getvalue()
    assert "prepare: reusing [/runs/digits]" in shown
    last = shown[shown.rindex("search  ") :]
    assert "3/4" in last and "train loss 0.5123, skip fraction 0.25" in last
    assert "train found" in last and "2/2" in last
