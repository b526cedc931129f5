"""Rows to show: of the prepared table if there is one, else synthetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dshub.cache.store import Store
from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.download.fetcher import Fetcher
from dshub.hub.plan import make_plan
from dshub.hub.request import Request
from dshub.hub.run import run_plan
from dshub.publishing.site.cells import encode
from dshub.synthetic.synthesize import synthesize
from dshub.tables.recipe import find

SYNTHETIC_ROWS = 24  # of each split
IMAGES, AUDIO, ROWS = 24, 6, 10  # shown of the first split; of others a third
CARD_IMAGES = 4


@dataclass(frozen=True)
class Sample:
    """A split to show.

    Attributes:
        manifest: of the rows; that of the synthetic dataset if they are synthetic.
        dataset: all rows.
    """

    manifest: Manifest
    split: str
    dataset: Dataset

    @property
    def synthetic(self) -> bool:
        """Whether the rows are synthetic."""
        return self.manifest.synthetic

    def rows(self, count: int) -> list[int]:
        """Row numbers spread evenly over the split, from the first on.

        Rows of class folders are sorted by class, so the first rows would all be of one class.
        """
        total = len(self.dataset)
        chosen = min(count, total)
        return [number * total // chosen for number in range(chosen)]

    def class_counts(self, column: str) -> list[int]:
        """The rows of each class, counted in the table."""
        classes = len(getattr(self.dataset.features[column], "names", ()))
        numbers = np.asarray(self.dataset[column])
        counts: list[int] = np.bincount(numbers, minlength=classes).tolist()
        return counts


def sample(manifest: Manifest, split: str, store: Store, *, rows: int = SYNTHETIC_ROWS) -> Sample:
    """Open the prepared table of a split, or make a synthetic one; downloads nothing.

    Args:
        manifest: of the dataset.
        split: its name.
        store: the cache, which also keeps synthetic rows.
        rows: minimum of a synthetic split.

    Raises:
        StoreError: a table cannot be read, or synthetic rows cannot be written.
    """
    folder = find(manifest, split, store)
    if folder is not None:
        return Sample(manifest, split, Dataset.from_tables([folder]))
    if not manifest.synthetic:  # with DSHUB_SYNTHETIC, it already is
        manifest = synthesize(manifest, store, rows=max(rows, SYNTHETIC_ROWS))
    fetcher = Fetcher(store, offline=True)
    outcome = run_plan(make_plan(Request.of(manifest, [split]), fetcher, files=False), fetcher)
    return Sample(manifest, split, Dataset.from_tables(list(outcome.tables.values())))


def stated_counts(manifest: Manifest, split: str, column: str) -> list[int]:
    """The rows of each class that the manifest states; empty if it does not."""
    counts = manifest.splits[split].figures.get(f"{column}-counts", ())
    return list(counts) if isinstance(counts, tuple) else []


@dataclass(frozen=True)
class Shown:
    """Some rows of a split, with images and audio encoded.

    Attributes:
        rows: values by column, with the number of each row.
        gallery: the column to show as a grid of images; empty for a table.
        images: of the first few rows, (height, width, channels).
        audio: of the first row, int16.
        counts: the rows of each class by column; empty for synthetic rows.
    """

    sample: Sample
    rows: Sequence[tuple[int, Mapping[str, Any]]]
    gallery: str
    images: Sequence[np.ndarray]
    audio: np.ndarray | None
    counts: Mapping[str, list[int]]

    @property
    def features(self) -> Mapping[str, Feature]:
        """Its columns."""
        return self.sample.dataset.features


def show(manifest: Manifest, split: str, store: Store, *, is_first: bool) -> Shown:
    """Read some rows of a split; more of the first split than of others.

    Raises:
        DshubError: the rows cannot be read, or synthetic ones cannot be made.
    """
    taken = sample(manifest, split, store)
    features = taken.dataset.features
    gallery = _gallery(features)
    count = IMAGES if gallery else ROWS
    if any(isinstance(item, AudioFeature) for item in features.values()):
        count = AUDIO
    rows, images, audio = [], list[np.ndarray](), None
    for number in taken.rows(count if is_first else max(count // 3, 2)):
        row = taken.dataset[number]
        rows.append((number, {name: encode(row[name], item) for name, item in features.items()}))
        for name, feature in features.items():
            if isinstance(feature, ImageFeature) and len(images) < CARD_IMAGES:
                images.append(row[name])
            if isinstance(feature, AudioFeature) and audio is None:
                audio = row[name]
    labels = [name for name, item in features.items() if isinstance(item, LabelFeature)]
    counts = {} if taken.synthetic else {name: taken.class_counts(name) for name in labels}
    return Shown(taken, rows, gallery, images, audio, counts)


def _gallery(features: Mapping[str, Feature]) -> str:
    """The only column of images, if all other values are short."""
    images = [name for name, item in features.items() if isinstance(item, ImageFeature)]
    others = [item for item in features.values() if not isinstance(item, ImageFeature)]
    short = all(
        isinstance(item, LabelFeature) or (isinstance(item, NumberFeature) and not item.shape)
        for item in others
    )
    return images[0] if short and len(images) == 1 else ""
