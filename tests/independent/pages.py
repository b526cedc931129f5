"""Parse HTML pages with the standard library into elements with attributes and text."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "img", "input", "br", "hr"}
BLOCKS = {"dd", "div", "dt", "h1", "h2", "h3", "li", "option", "p", "td", "th", "tr"}


@dataclass
class Element:
    """An HTML element, with the text of its descendants."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    parents: tuple["Element", ...] = field(default=(), repr=False)

    def within(self, tag: str, **attributes: str) -> bool:
        """Return True if an enclosing element has this tag and these attributes."""
        return any(parent.fits(tag, attributes) for parent in self.parents)

    def fits(self, tag: str, attributes: dict[str, str]) -> bool:
        """Return True if tag and attributes match; pass the attribute `class` as `class_`."""
        expected = {name.rstrip("_").replace("_", "-"): text for name, text in attributes.items()}
        return self.tag == tag and expected.items() <= self.attributes.items()

    @property
    def line(self) -> str:
        """The text of the element on one line."""
        return " ".join(self.text.split())


class Page(HTMLParser):
    """A parsed HTML page; fails if an element is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BLOCKS:
            self.handle_data(" ")  # block elements separate words
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes, parents=tuple(self._open))
        self.elements.append(element)
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self._open and self._open[-1].tag == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements with this tag and these attributes."""
        return [item for item in self.elements if item.fits(tag, attributes)]

    def texts(self, tag: str, **attributes: str) -> list[str]:
        """Return the text of each matching element on one line."""
        return [item.line for item in self.all(tag, **attributes)]

    def below(self, element: Element, tag: str, **attributes: str) -> list[Element]:
        """Return the matching elements inside `element`."""
        return [
            item
            for item in self.all(tag, **attributes)
            if any(parent is element for parent in item.parents)
        ]


def read(path: Path) -> Page:
    """Parse the page in a file."""
    return Page(path.read_text(encoding="utf-8"))
