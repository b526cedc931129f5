"""Prepare smaller images of datasets, which `ds.resize(…).cache()` opens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.errors import DiskFullError
from dshub.hub.hub import Hub
from dshub.loading.transforms.transform import Size
from dshub.progress import size as bytes_text


@dataclass(frozen=True)
class ResizedSplit:
    """A split with smaller images.

    Attributes:
        dataset: name and version of the dataset.
        split: name of the split.
        rows: number of rows.
        original: size of the prepared split in bytes.
        size: size of the result in bytes, estimated unless it is cached.
        folder: folder of the result, or None if it was only estimated.
    """

    dataset: str
    split: str
    rows: int
    original: int
    size: int
    folder: Path | None = None


@dataclass(frozen=True)
class Resizer:
    """Arguments for resizing datasets.

    Attributes:
        hub: hub of the datasets.
        size: (height, width), or the length of the shorter side.
        encode: see `Dataset.resize`.
        workers: number of processes that resize images.
    """

    hub: Hub
    size: Size
    encode: str | None = None
    workers: int = 1

    def estimate(self, names: Sequence[str]) -> list[ResizedSplit]:
        """Prepare datasets if necessary, and estimate the size of each resized split.

        Raises:
            SchemaError: a dataset has no images that can be resized.
            DshubError: a dataset cannot be prepared; see `Hub.run`.
        """
        return [
            self._split(manifest, split, rows, size=self._resized(rows).estimate_size())
            for manifest, split, rows in self._splits(names)
        ]

    def write(self, names: Sequence[str]) -> Iterator[ResizedSplit]:
        """Yield each resized split after writing it, unless the cache has it.

        Raises:
            DiskFullError: the cache has too little space for a split.
            DshubError: one of the errors of `estimate`, or an image cannot be decoded.
        """
        folder = self.hub.settings.cache
        for manifest, split, rows in self._splits(names):
            resized = self._resized(rows)
            if not resized.is_cached(folder=folder):
                self._check_space(resized.estimate_size())
            written = resized.cache(workers=self.workers, folder=folder)
            place = next((path.parent for path in written.files), None)
            yield self._split(manifest, split, rows, size=_size(written), folder=place)

    def _splits(self, names: Sequence[str]) -> Iterator[tuple[Manifest, str, Dataset]]:
        """Yield the manifest, the name and the rows of each split."""
        for choice in self.hub.resolve(names).choices:
            for split in choice.splits:
                yield choice.manifest, split, self.hub.load(choice.name, split=split)

    def _resized(self, rows: Dataset) -> Dataset:
        return rows.resize(self.size, encode=self.encode)

    def _split(
        self,
        manifest: Manifest,
        split: str,
        rows: Dataset,
        *,
        size: int,
        folder: Path | None = None,
    ) -> ResizedSplit:
        return ResizedSplit(
            dataset=manifest.identifier,
            split=split,
            rows=len(rows),
            original=_size(rows),
            size=size,
            folder=folder,
        )

    def _check_space(self, needed: int) -> None:
        free = self.hub.store.free()
        if free is not None and needed > free:
            reason = f"it needs about {bytes_text(needed)}, and {bytes_text(free)} are free"
            raise DiskFullError(path=str(self.hub.settings.cache), reason=reason)


def _size(rows: Dataset) -> int:
    return sum(path.stat().st_size for path in rows.files)
