"""What people look at: progress while a step works, and what a run found when it is over."""

from cellwright.report.drawing import draw_cells
from cellwright.report.latest import LATEST, LatestRun
from cellwright.report.lines import (
    Advance,
    Event,
    LineProgress,
    Message,
    Mistake,
    last_mistake,
    read_line,
    write_line,
)
from cellwright.report.live import LiveProgress
from cellwright.report.mistakes import ending_in_words, explain, naming
from cellwright.report.summary import summarise

__all__ = [
    "LATEST",
    "Advance",
    "Event",
    "LatestRun",
    "LineProgress",
    "LiveProgress",
    "Message",
    "Mistake",
    "draw_cells",
    "ending_in_words",
    "explain",
    "last_mistake",
    "naming",
    "read_line",
    "summarise",
    "write_line",
]
