"""Shows untrusted text, such as file names, on terminals and pages without interpreting it."""

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
"""Control characters, and those that change the direction of text."""


def visible(text: str) -> str:
    """Replace control characters in the text, except for line ends and tabs."""
    return text.translate(_REPLACED)


class PlainConsole(Console):
    """A console that does not interpret markup, and replaces control characters in text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments, with control characters replaced in text but not in the console's own control codes."""
        return self._visible(super().render(renderable, options))

    @staticmethod
    def _visible(segments: Iterable[Segment]) -> Iterator[Segment]:
        for segment in segments:
            yield segment if segment.control else segment._replace(text=visible(segment.text))
