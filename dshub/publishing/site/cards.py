"""Cards: what the pages show of a dataset and its splits.

What a page shows of a split: some rows, and how many rows each class has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dshub.cache.store import Store
from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.publishing.site import cells as media
from dshub.publishing.site import views
from dshub.publishing.site.cells import Cell, row_cells
from dshub.publishing.site.pages import CARD
from dshub.publishing.site.samples import Sample, class_counts, sample
from dshub.publishing.site.views import terms

PICTURES, ROWS, RECORDINGS = 24, 10, 6  # shown of the first split; of others a third


@dataclass(frozen=True)
class Shown:
    """Some rows of a split, ready to be put into HTML.

    Attributes:
        split: its name.
        rows: how many the dataset's own split has.
        synthetic: whether what is shown is made up.
        columns: their names.
        picture: the column that is shown as a grid of pictures, or empty for a table.
        entries: number of the row, and its values by column.
        pictures: of the first few rows, (height, width, channels); empty where there are none.
        samples: of the first row's recording, int16; None where there is none.
        counts: rows of each class, by column; of the dataset's own rows only.
    """

    split: str
    rows: int
    synthetic: bool
    columns: tuple[str, ...]
    picture: str
    entries: tuple[tuple[int, Mapping[str, Cell]], ...]
    pictures: tuple[np.ndarray, ...]
    samples: np.ndarray | None
    counts: Mapping[str, Sequence[int]]

    def said(self, cells: Mapping[str, Cell]) -> str:
        """What stands below a picture: the classes of its row, or its numbers where it has none."""
        others = [cell for name, cell in cells.items() if name != self.picture]
        labels = [cell.text for cell in others if cell.kind == "label"]
        return ", ".join(labels or [cell.text for cell in others])


def show(manifest: Manifest, split: str, store: Store, *, is_first: bool) -> Shown:
    """What is shown of a split.

    Args:
        manifest: of the dataset.
        split: its name.
        store: where its table is, or a stand-in is made.
        is_first: whether more of it is shown than of the others.

    Raises:
        DshubError: its rows cannot be read, or a stand-in cannot be made.
    """
    taken = sample(manifest, split, store)
    features = taken.dataset.features
    many = _how_many(features)
    entries, pictures, samples = [], list[np.ndarray](), None
    for number in taken.rows(many if is_first else max(many // 3, 2)):
        row = taken.dataset[number]
        entries.append((number, row_cells(row, features)))
        for name, feature in features.items():
            if isinstance(feature, ImageFeature) and len(pictures) < CARD_PICTURES:
                pictures.append(row[name])
            if isinstance(feature, AudioFeature) and samples is None:
                samples = row[name]
    return Shown(
        split,
        manifest.splits[split].rows,
        taken.synthetic,
        tuple(features),
        _gallery(features),
        tuple(entries),
        tuple(pictures),
        samples,
        _counts(taken),
    )


CARD_PICTURES = 4  # side by side on a card


def _how_many(features: Mapping[str, Feature]) -> int:
    kinds = {type(item) for item in features.values()}
    if AudioFeature in kinds:
        return RECORDINGS
    return PICTURES if _gallery(features) else ROWS


def _gallery(features: Mapping[str, Feature]) -> str:
    """The column of pictures, where whatever stands beside it is short."""
    pictures = [name for name, item in features.items() if isinstance(item, ImageFeature)]
    short = all(
        isinstance(item, ImageFeature | LabelFeature)
        or (isinstance(item, NumberFeature) and not item.shape)
        for item in features.values()
    )
    return pictures[0] if short and len(pictures) == 1 else ""


def _counts(taken: Sample) -> dict[str, Sequence[int]]:
    if taken.synthetic:
        return {}
    return {
        name: class_counts(taken, name)
        for name, feature in taken.dataset.features.items()
        if isinstance(feature, LabelFeature)
    }


_SIDE = 64  # pixels of a picture on a card
_POINTS = 48  # of a waveform
_QUOTE = 110  # characters of a text
_NOT_STATED = "not stated"


@dataclass(frozen=True)
class Card:
    """A dataset on the first page.

    Attributes:
        page: the address of its page.
        mode: what the data are made of; see `dshub.publishing.site.views.modality`.
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
