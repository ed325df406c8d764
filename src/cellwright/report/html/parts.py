"""What the page is made of: sections of texts, tables, figures and pictures."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing and its caption."""

    svg: Markup
    caption: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG in base64, and its caption."""

    data: str
    caption: str

    @classmethod
    def of(cls, png: bytes, caption: str) -> "Picture":
        """Return the picture of a PNG file's content."""
        return cls(data=base64.b64encode(png).decode(), caption=caption)


@dataclass(frozen=True, kw_only=True)
class ReportPart:
    """One element of a section."""

    kind: Literal["text", "code", "command", "table", "figures", "pictures"]
    text: str = ""
    caption: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    marked: int | None = None
    """Index of the row to highlight."""
    is_folded: bool = False
    """Whether a table is shown only when its caption is clicked."""
    shades: Sequence[Sequence[float]] = ()
    """Intensity of each cell's colour, from 0 to 1, by row and column, without the first column."""
    figures: Sequence[Figure] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True, kw_only=True)
class ReportSection:
    """A section of the page, listed in the table of contents."""

    id: str
    title: str
    parts: Sequence[ReportPart] = field(default_factory=tuple)
