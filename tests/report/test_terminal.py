"""Names of files and networks are text on terminals."""

import io

import pytest
from rich.table import Table
from rich.text import Text

from cellwright.errors import CellwrightError
from cellwright.report.live import LiveProgress
from cellwright.report.terminal import PlainConsole
from cellwright.report.user_errors import explain

LINK = '[link="onmouseover=alert(document.domain)]photos.npz'
TITLE = "\x1b]0;OWNED\x07"
HOSTILE = (
    LINK,
    "[link=><svg/onload=alert(1)>]resnet",
    "[/nothing]",
    "<script>",
    f"{TITLE}\x9b2J\u202e:smile:",
)


def shown(renderable) -> str:
    file = io.StringIO()
    PlainConsole(file=file, width=200, force_terminal=True).print(renderable)
    return file.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_control_a_terminal(name: str):
    table = Table(name, title=name)
    table.add_row(name)
    for text in (shown(table), shown(Text(name)), shown(name)):
        assert not any(part in text for part in ("\x1b]", "\x07", "\x9b", "\u202e"))
    assert name[-6:] in shown(Text(name))


def test_progress_and_errors_contain_no_control_sequences():
    file = io.StringIO()
    with LiveProgress(PlainConsole(file=file, force_terminal=True, width=100)) as live:
        live.log(f"reading {TITLE}")
        live.advance(f"task {TITLE}", 1, 2, {f"metric {TITLE}": 1.0})
    assert "\x1b]" not in file.getvalue() and "\x07" not in file.getvalue()
    assert (
        explain(CellwrightError(f"photos/{TITLE}: is no image")) == "photos/\ufffd]0;OWNED\ufffd: is no image"
    )
    assert explain(FileNotFoundError(2, "gone", f"a{TITLE}")) == "cannot open a\ufffd]0;OWNED\ufffd: gone"
