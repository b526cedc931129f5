"""Access splits by name, and concatenate parts of splits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub.catalog.features import Feature
from dshub.catalog.manifest import Manifest
from dshub.catalog.spellings import familiar, spelled
from dshub.datasets.dataset import Dataset
from dshub.datasets.rendering.html import splits_html
from dshub.datasets.rendering.showing import is_synthetic
from dshub.datasets.split_expressions import Part, find_split
from dshub.errors import UnknownNameError

if TYPE_CHECKING:
    from dshub.hub.familiar.splits import SplitsNames
else:
    SplitsNames = object


class Splits(Mapping[str, Dataset], SplitsNames):
    """Splits of a dataset by name, each prepared on first access.

    Attributes:
        title: name and version of the dataset.
        manifest: manifest of the dataset, or None for a dataset of the Hugging Face Hub.
    """

    def __init__(
        self,
        title: str,
        rows: Mapping[str, int | None],
        open_split: Callable[[str], Dataset],
        manifest: Manifest | None = None,
    ) -> None:
        self.title, self.manifest = title, manifest
        self._rows, self._open_split = dict(rows), open_split
        self._opened: dict[str, Dataset] = {}

    def __getitem__(self, split: str) -> Dataset:
        if split not in self._rows:
            name = self.manifest.name if self.manifest else self.title
            split = find_split(name, split, self._rows)
        if split not in self._opened:
            self._opened[split] = self._open_split(split)
        return self._opened[split]

    def __contains__(self, split: object) -> bool:
        try:
            return bool(find_split(self.title, str(split), self._rows))
        except UnknownNameError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    if not TYPE_CHECKING:  # otherwise, type checkers would accept any attribute

        def __getattr__(self, name: str) -> Any:
            return familiar(self, name, "splits.SplitsNames", self._alternatives)

    def _alternatives(self) -> dict[str, str]:
        """Return advice for names that are not attributes, such as splits and dataset methods."""
        if "_rows" not in vars(self):  # during creation and unpickling
            return {}
        first = next(iter(self._rows), "train")
        attributes = [name for name in dir(Dataset) if not name.startswith("_")]
        words = {name: f'use splits["{first}"].{name}' for name in attributes}
        return words | {name: f'use splits["{name}"]' for name in self._rows}

    def __repr__(self) -> str:
        counts = [
            name if rows is None else f"{name}: {rows:,} rows" for name, rows in self._rows.items()
        ]
        return f"<Splits {self.title}: {', '.join(counts)}>"

    def _repr_html_(self) -> str:
        """Show the splits in a notebook, without preparing them."""
        manifest = self.manifest
        opened: list[Mapping[str, Feature]] = [item.features for item in self._opened.values()]
        features = next(iter(opened), manifest.features if manifest is not None else None)
        synthetic = ", synthetic" if is_synthetic(manifest) else ""
        return splits_html(f"{self.title}{synthetic}", self._rows, features)

    def _ipython_key_completions_(self) -> list[str]:
        """Complete ``splits["`` with names of splits."""
        return list(self._rows)

    # Methods of `Dataset`, applied to every split

    @spelled("map")
    def map(
        self,
        function: Callable[[Any], Mapping[str, Any]],
        *,
        batched: bool = False,
        columns: Sequence[str] | None = None,
        features: Mapping[str, Feature] | None = None,
        batch_size: int = 1000,
    ) -> "Splits":
        """Apply `Dataset.map` to every split."""
        return self._each(
            lambda split: split.map(
                function,
                batched=batched,
                columns=columns,
                features=features,
                batch_size=batch_size,
            )
        )

    def cache(self, name: str, *, version: str = "1", workers: int = 1) -> "Splits":
        """Apply `Dataset.cache` to every split."""
        return self._each(lambda split: split.cache(name, version=version, workers=workers))

    @spelled("filter")
    def filter(
        self, keep: Callable[[Any], Any], *, columns: Sequence[str] | None = None
    ) -> "Splits":
        """Apply `Dataset.filter` to every split."""
        return self._each(lambda split: split.filter(keep, columns=columns), counted=False)

    def columns(self, names: Sequence[str]) -> "Splits":
        """Apply `Dataset.columns` to every split."""
        return self._each(lambda split: split.columns(names))

    def without(self, names: Sequence[str]) -> "Splits":
        """Apply `Dataset.without` to every split."""
        return self._each(lambda split: split.without(names))

    def rename(self, names: Mapping[str, str]) -> "Splits":
        """Apply `Dataset.rename` to every split."""
        return self._each(lambda split: split.rename(names))

    def cast(self, features: Mapping[str, Feature]) -> "Splits":
        """Apply `Dataset.cast` to every split."""
        return self._each(lambda split: split.cast(features))

    @spelled("sort")
    def sort(self, column: str, *, reverse: bool = False) -> "Splits":
        """Apply `Dataset.sort` to every split."""
        return self._each(lambda split: split.sort(column, reverse=reverse))

    @spelled("shuffle")
    def shuffle(self, seed: int = 0) -> "Splits":
        """Apply `Dataset.shuffle` to every split."""
        return self._each(lambda split: split.shuffle(seed))

    def decode(self, on: bool = True) -> "Splits":  # noqa: FBT001, FBT002  # as in Dataset
        """Apply `Dataset.decode` to every split."""
        return self._each(lambda split: split.decode(on))

    def _each(self, change: Callable[[Dataset], Dataset], *, counted: bool = True) -> "Splits":
        """Return the splits with a change that is applied when a split is first used."""
        rows = self._rows if counted else dict.fromkeys(self._rows)
        return Splits(self.title, rows, lambda name: change(self[name]), self.manifest)


def concatenate(manifest: Manifest, parts: Sequence[Part], folders: Mapping[str, Path]) -> Dataset:
    """Concatenate parts of splits into one dataset.

    Args:
        manifest: manifest of the dataset.
        parts: parts to concatenate, in order.
        folders: table folder by split, in the order in which the splits first occur in `parts`.
    """
    counts = [manifest.splits[split].rows for split in folders]
    first = dict(zip(folders, np.cumsum([0, *counts]), strict=False))
    dataset = Dataset.from_tables(list(folders.values()), manifest)
    ranges = [part.rows(manifest.splits[part.split].rows) for part in parts]
    if list(map(len, ranges)) == counts:  # each split is selected once, in full
        return dataset
    rows = [
        np.arange(rows.start, rows.stop) + first[part.split]
        for part, rows in zip(parts, ranges, strict=True)
    ]
    return dataset.select(np.concatenate(rows))
