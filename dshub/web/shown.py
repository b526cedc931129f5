"""What a page shows of a split: some rows, and how many rows each class has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dshub.manifest import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    Manifest,
    NumberFeature,
)
from dshub.store import Store
from dshub.web.cells import Cell, row_cells
from dshub.web.samples import Sample, class_counts, sample

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
