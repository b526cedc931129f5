"""Splits by name, and several of them one behind the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dshub.dataset.dataset import Dataset
from dshub.dataset.splits import Part
from dshub.errors import UnknownNameError
from dshub.manifest import Manifest


class Splits(Mapping[str, Dataset]):
    """The splits of a dataset by name; each is prepared when it is first looked up.

    Attributes:
        title: name and version.
        manifest: of the dataset; None for one of Hugging Face's hub.
    """

    def __init__(
        self,
        title: str,
        rows: Mapping[str, int],
        open_split: Callable[[str], Dataset],
        manifest: Manifest | None = None,
    ) -> None:
        self.title, self.manifest = title, manifest
        self._rows, self._open_split = dict(rows), open_split
        self._opened: dict[str, Dataset] = {}

    def __getitem__(self, split: str) -> Dataset:
        if split not in self._rows:
            kind = f"split of {self.manifest.name if self.manifest else self.title}"
            raise UnknownNameError(kind=kind, name=split, known=list(self._rows))
        if split not in self._opened:
            self._opened[split] = self._open_split(split)
        return self._opened[split]

    def __contains__(self, split: object) -> bool:
        return split in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name}: {rows:,} rows" for name, rows in self._rows.items())
        return f"<Splits {self.title}: {rows}>"


def unknown_split(manifest: Manifest, split: str) -> UnknownNameError:
    """The error for a split that a dataset lacks."""
    known = list(manifest.splits)
    return UnknownNameError(kind=f"split of {manifest.name}", name=split, known=known)


def together(manifest: Manifest, parts: Sequence[Part], folders: Mapping[str, Path]) -> Dataset:
    """Several parts of splits, one behind the other."""
    names = list(folders)
    counts = [manifest.splits[name].rows for name in names]
    begins = dict(zip(names, np.cumsum([0, *counts]), strict=False))
    whole = Dataset.from_tables(list(folders.values()))
    chosen = [part.rows(manifest.splits[part.split].rows) for part in parts]
    if len(parts) == len(names) and all(
        len(rows) == count for rows, count in zip(chosen, counts, strict=True)
    ):
        return whole
    rows = [
        np.arange(rows.start, rows.stop) + begins[part.split]
        for part, rows in zip(parts, chosen, strict=True)
    ]
    return whole.select(np.concatenate(rows))
