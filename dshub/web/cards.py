"""A dataset on the first page: a few words, and something of what is in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dshub.manifest import Manifest
from dshub.web import media, views
from dshub.web.licences import terms
from dshub.web.publishing import CARD
from dshub.web.shown import Shown

_SIDE = 64  # pixels of a picture on a card
_POINTS = 48  # of a waveform
_QUOTE = 110  # characters of a text
_NOT_STATED = "not stated"


@dataclass(frozen=True)
class Card:
    """A dataset on the first page.

    Attributes:
        page: the address of its page.
        mode: what the data are made of; see `dshub.web.views.modality`.
        size: bytes of its files; None where one is unknown.
        licence, stated: its identifier, and whether a source states one.
        tags: words that are searched besides those that are seen.
        look: `pictures`, `sound`, `words` or `fields`: what `shown` is.
        shown: a picture's address, a waveform as a path of SVG, a text, names of columns.
        width, height: of the picture, in pixels.
        synthetic: whether what is shown is made up.
    """

    name: str
    title: str
    summary: str
    page: str
    task: str
    mode: str
    rows: int
    size: int | None
    licence: str
    stated: bool
    tags: str
    look: str
    shown: str
    width: int
    height: int
    synthetic: bool


def card(manifest: Manifest, shown: Sequence[Shown], page: str) -> tuple[Card, bytes | None]:
    """A dataset's card, and its picture where it has one.

    Args:
        manifest: of the dataset.
        shown: of its splits, those of which there is something to show.
        page: the address of its page, from the first page.
    """
    first = shown[0] if shown else None
    picture = media.strip(first.pictures, side=_SIDE) if first and first.pictures else None
    look, content = _look(manifest, first)
    if picture is not None:
        content = page.rpartition("/")[0] + f"/{CARD}"
    licence = terms(manifest.license)
    made = Card(
        name=manifest.name,
        title=manifest.title,
        summary=manifest.summary,
        page=page,
        task=manifest.task,
        mode=views.modality(manifest),
        rows=views.rows(manifest),
        size=manifest.size,
        licence=licence.title if licence.stated else _NOT_STATED,
        stated=licence.stated,
        tags=" ".join(manifest.tags),
        look=look,
        shown=content,
        width=_SIDE * len(first.pictures) if first else 0,
        height=_SIDE,
        synthetic=look != "fields" and first is not None and first.synthetic,
    )
    return made, picture


def _look(manifest: Manifest, first: Shown | None) -> tuple[str, str]:
    """What a card shows: pictures, a waveform, the longest text of the first row, or columns."""
    if first is not None and first.pictures:
        return "pictures", ""
    if first is not None and first.samples is not None:
        return "sound", media.waveform(first.samples, points=_POINTS)
    if first is not None and first.entries and views.modality(manifest) == "text":
        cells = first.entries[0][1].values()
        return "words", _cut(max((" ".join(cell.items) or cell.text for cell in cells), key=len))
    return "fields", _cut(" · ".join(manifest.features))


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTE else f"{text[: _QUOTE - 1].rstrip()}…"
