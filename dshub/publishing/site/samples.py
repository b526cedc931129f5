"""Rows to look at: of the prepared table where there is one, else of a synthetic stand-in."""

from dataclasses import dataclass

import numpy as np

from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.download.fetcher import Fetcher
from dshub.hub.plan import make_plan
from dshub.hub.request import Request
from dshub.hub.run import run_plan
from dshub.synthetic.synthesize import synthesize
from dshub.tables.recipe import find

STAND_IN_ROWS = 24  # of each split


@dataclass(frozen=True)
class Sample:
    """A split to look at.

    Attributes:
        manifest: what the rows are of; a stand-in's own where they are made up.
        split: its name.
        dataset: all its rows.
    """

    manifest: Manifest
    split: str
    dataset: Dataset

    @property
    def synthetic(self) -> bool:
        """Whether the rows are made up."""
        return self.manifest.synthetic

    def rows(self, count: int) -> list[int]:
        """The numbers of some rows, spread evenly over the split, the first one among them.

        Files that lie in a folder for each class come one class after the other, so the first
        rows alone would show one class.
        """
        total = len(self.dataset)
        wanted = min(count, total)
        return [number * total // wanted for number in range(wanted)]


def prepared(manifest: Manifest, split: str, store: Store) -> Sample | None:
    """The split's own rows, or None where no table of it is in the store.

    Raises:
        StoreError: the table cannot be read.
    """
    folder = find(manifest, split, store)
    if folder is None:
        return None
    return Sample(manifest, split, Dataset.from_tables([folder]))


def sample(manifest: Manifest, split: str, store: Store, *, rows: int = STAND_IN_ROWS) -> Sample:
    """The split's own rows where its table is in the store, else a stand-in's.

    No connection is made. A stand-in is kept in the store, and found there the next time.

    Args:
        manifest: of the dataset.
        split: its name.
        store: where tables are looked for.
        rows: of a stand-in, at least.

    Raises:
        StoreError: a table cannot be read, or the store cannot be written for a stand-in.
    """
    found = prepared(manifest, split, store)
    if found is not None:
        return found
    made = manifest  # of a stand-in already, where settings ask for those
    if not manifest.synthetic:
        made = synthesize(manifest, store, rows=max(rows, STAND_IN_ROWS))
    fetcher = Fetcher(store, offline=True)
    outcome = run_plan(make_plan(Request.of(made, [split]), fetcher, files=False), fetcher)
    return Sample(made, split, Dataset.from_tables(list(outcome.tables.values())))


def class_counts(taken: Sample, column: str) -> list[int]:
    """How many rows each class has, counted in the table."""
    classes = len(getattr(taken.dataset.features[column], "names", ()))
    counted = np.bincount(np.asarray(taken.dataset[column]), minlength=classes)
    return [int(count) for count in counted]


def told_counts(manifest: Manifest, split: str, column: str) -> list[int]:
    """How many rows each class has, where the manifest tells; empty where it does not."""
    told = manifest.splits[split].figures.get(f"{column}-counts", ())
    return list(told) if isinstance(told, tuple) else []
