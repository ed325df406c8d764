"""Text of others, such as names of files, on terminals and pages: shown as it is, and never obeyed."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_REPLACED = {
    code: "\N{REPLACEMENT CHARACTER}"
    for codes in (range(0x20), range(0x7F, 0xA0), range(0x202A, 0x202F), range(0x2066, 0x206A))
    for code in codes
    if chr(code) not in "\t\n"
}
"""Control characters, and those that turn the direction of what follows."""


def visible(text: str) -> str:
    """Return the text with a sign in place of each character that a terminal would obey, but for line ends and tabs."""
    return text.translate(_REPLACED)


class PlainConsole(Console):
    """A console to which text is text: it reads no markup in it, and replaces what a terminal would obey."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments, whose text is visible; those of the console's own control stay."""
        return self._visible(super().render(renderable, options))

    @staticmethod
    def _visible(segments: Iterable[Segment]) -> Iterator[Segment]:
        for segment in segments:
            yield segment if segment.control else segment._replace(text=visible(segment.text))
