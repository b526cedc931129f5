"""Read sample rows from prepared tables, or generate synthetic ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dshub.cache.store import Store
from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.datasets.rendering.cells import encode
from dshub.download.fetcher import Fetcher
from dshub.hub.plan import make_plan
from dshub.hub.request import Request
from dshub.hub.run import run_plan
from dshub.synthetic.synthesize import synthesize
from dshub.tables.recipe import find

SYNTHETIC_ROWS = 24  # minimum rows per synthetic split
IMAGES, AUDIO, ROWS = 24, 6, 10  # sample rows of the first split; other splits get a third
CARD_IMAGES = 4


@dataclass(frozen=True)
class Sample:
    """Split with real or synthetic rows.

    Attributes:
        manifest: manifest of the dataset, or of its synthetic version.
        split: name of the split.
        dataset: all rows of the split.
    """

    manifest: Manifest
    split: str
    dataset: Dataset

    @property
    def synthetic(self) -> bool:
        """True if the rows are synthetic."""
        return self.manifest.synthetic

    def rows(self, count: int, within: range | None = None) -> list[int]:
        """Return `count` row numbers spread evenly over the split, or over a part of it.

        Rows of class folders are sorted by class, so the first rows would show only one class.
        """
        rows = range(len(self.dataset)) if within is None else within
        selected = min(count, len(rows))
        return [rows[number * len(rows) // selected] for number in range(selected)]

    def class_counts(self, column: str) -> list[int]:
        """Count the rows of each class in the table."""
        classes = len(getattr(self.dataset.features[column], "names", ()))
        numbers = np.asarray(self.dataset[column])
        counts: list[int] = np.bincount(numbers, minlength=classes).tolist()
        return counts


def sample(manifest: Manifest, split: str, store: Store, *, rows: int = SYNTHETIC_ROWS) -> Sample:
    """Open the prepared table of a split, or create a synthetic one, without downloading.

    Args:
        manifest: manifest of the dataset.
        split: name of the split.
        store: cache to read tables from, and to write synthetic rows to.
        rows: minimum number of rows in a synthetic split.

    Raises:
        StoreError: a table cannot be read, or synthetic rows cannot be written.
    """
    folder = find(manifest, split, store)
    if folder is not None:
        return Sample(manifest, split, Dataset.from_tables([folder]))
    if not manifest.synthetic:  # with DSHUB_SYNTHETIC, the manifest is already synthetic
        manifest = synthesize(manifest, store, rows=max(rows, SYNTHETIC_ROWS))
    fetcher = Fetcher(store, offline=True)
    outcome = run_plan(make_plan(Request.of(manifest, [split]), fetcher, files=False), fetcher)
    return Sample(manifest, split, Dataset.from_tables(list(outcome.tables.values())))


def stated_counts(manifest: Manifest, split: str, column: str) -> list[int]:
    """Return the number of rows per class from the manifest; empty if it states none."""
    counts = manifest.splits[split].figures.get(f"{column}-counts", ())
    return list(counts) if isinstance(counts, tuple) else []


@dataclass(frozen=True)
class Shown:
    """Sample rows of a split, with images and audio encoded.

    Attributes:
        sample: split with its rows.
        rows: number of each sample row, and its values by column.
        gallery: column to show as a grid of images; empty to show a table.
        images: images of the first rows, of shape (height, width, channels).
        audio: int16 audio of the first row; None without audio.
        counts: number of rows per class, by column; empty for synthetic rows.
    """

    sample: Sample
    rows: Sequence[tuple[int, Mapping[str, Any]]]
    gallery: str
    images: Sequence[np.ndarray]
    audio: np.ndarray | None
    counts: Mapping[str, list[int]]

    @property
    def features(self) -> Mapping[str, Feature]:
        """Features of the columns, by name."""
        return self.sample.dataset.features


def show(manifest: Manifest, split: str, store: Store, *, is_first: bool) -> Shown:
    """Read sample rows of a split, with more rows for the first split.

    Raises:
        DshubError: the rows cannot be read, or synthetic rows cannot be generated.
    """
    source = sample(manifest, split, store)
    features = source.dataset.features
    gallery = _gallery(features)
    count = IMAGES if gallery else ROWS
    if any(isinstance(item, AudioFeature) for item in features.values()):
        count = AUDIO
    rows, images, audio = [], list[np.ndarray](), None
    for number in source.rows(count if is_first else max(count // 3, 2)):
        row = source.dataset[number]
        rows.append((number, {name: encode(row[name], item) for name, item in features.items()}))
        for name, feature in features.items():
            if isinstance(feature, ImageFeature) and len(images) < CARD_IMAGES:
                images.append(row[name])
            if isinstance(feature, AudioFeature) and audio is None:
                audio = row[name]
    labels = [name for name, item in features.items() if isinstance(item, LabelFeature)]
    counts = {} if source.synthetic else {name: source.class_counts(name) for name in labels}
    return Shown(source, rows, gallery, images, audio, counts)


def _gallery(features: Mapping[str, Feature]) -> str:
    """Return the only image column if all other columns are short, or an empty string."""
    images = [name for name, item in features.items() if isinstance(item, ImageFeature)]
    other_features = [item for item in features.values() if not isinstance(item, ImageFeature)]
    short = all(
        isinstance(item, LabelFeature) or (isinstance(item, NumberFeature) and not item.shape)
        for item in other_features
    )
    return images[0] if short and len(images) == 1 else ""
