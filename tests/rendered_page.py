"""A rendered page as its reader has it: what it loads, what it says, which elements it is made of."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Attributes that make a browser load something, text that is read, and elements by name."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag != "a":
            self.loads += [
                str(attributes[name]) for name in ("src", "href", "xlink:href", "data") if name in attributes
            ]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All text with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.words))

    def count(self, tag: str) -> int:
        """How many elements of that name the page has."""
        return sum(name == tag for name, _ in self.elements)


def read(path: Path) -> Page:
    """Parse a rendered page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page
