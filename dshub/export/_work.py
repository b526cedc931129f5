"""One split on its way into a format: how it is divided, and what of it is there."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dshub.dataset import Dataset
from dshub.export._record import Record, SplitRecord
from dshub.export._rows import Rows, block_of, row_size

if TYPE_CHECKING:
    from dshub.export import Exporter

STAGE = "partial-"  # begins the name of a folder that is not complete


class Work:
    """A split that is to be exported.

    Args:
        exporter: of the format.
        title: its name or expression.
        dataset: its rows.
        dest: the folder that the export goes to.
        shard_size: bytes of a shard, about.

    Attributes:
        stem: how the names of its files begin.
        plan: its record when nothing is done yet.
    """

    def __init__(
        self, exporter: "Exporter", title: str, dataset: Dataset, *, dest: Path, shard_size: int
    ) -> None:
        self.exporter, self.title, self.dest = exporter, title, dest
        self._dataset = dataset.decode(on=False)
        self._row_size = row_size(self._dataset)
        self.stem = re.sub(r"[^A-Za-z0-9_]+", "-", title).strip("-")
        manifest = dataset.manifest
        count = -(-self._row_size * len(dataset) // max(shard_size, 1))
        self.plan = SplitRecord(
            dataset=manifest.identifier if manifest else "own data",
            split=title,
            fingerprint=self._dataset.fingerprint,
            revision=exporter.revision,
            rows=len(dataset),
            shards=1 if exporter.kind == "one" else min(max(count, 1), max(len(dataset), 1)),
            features=dict(self._dataset.features),
        )

    def rows(self, first: int = 0, count: int | None = None) -> Rows:
        """Some of the rows, or all."""
        title = f"{self.plan.dataset}, split {self.title}"
        count = self.plan.rows if count is None else count
        return Rows(self._dataset, title, first, count, block_of(self._row_size))

    def share(self, shard: int) -> Rows:
        """The rows of a shard: each has as many, or one more."""
        first, end = (self.plan.rows * i // self.plan.shards for i in (shard, shard + 1))
        return self.rows(first, end - first)

    @property
    def folder(self) -> Path | None:
        """The folder that holds all files, where the format has one."""
        return self.dest / self.stem if self.exporter.kind == "folder" else None

    @property
    def stage(self) -> Path:
        """The same until it is complete."""
        return self.dest / f"{STAGE}{self.stem}"

    def files(self, shard: int) -> list[Path]:
        """The files of a shard."""
        number = f"-{shard:05d}-of-{self.plan.shards:05d}"
        stem = self.stem if self.exporter.kind == "one" else self.stem + number
        return [self.dest / f"{stem}{suffix}" for suffix in self.exporter.suffixes]

    def missing(self, record: Record) -> list[int]:
        """The shards that are not written, or whose files have changed."""
        known = record.splits.get(self.stem)
        state = self.plan if known is None or self.is_lost(known) else known
        return [shard for shard in range(state.shards) if not self._is_done(shard, state)]

    def is_lost(self, known: SplitRecord) -> bool:
        """Whether a record is of other work, or of a folder that is no longer there."""
        gone = self.folder is not None and not (self.folder.is_dir() or self.stage.is_dir())
        return known.plan != self.plan.plan or gone

    def _is_done(self, shard: int, state: SplitRecord) -> bool:
        files = state.done.get(str(shard))
        return files is not None and all(item.is_in(self.dest) for item in files)

    def result(self) -> list[Path]:
        """What is there in the end."""
        if self.folder is not None:
            return [self.folder]
        return [path for shard in range(self.plan.shards) for path in self.files(shard)]

    def size(self, shards: int) -> int:
        """Bytes that some shards take, about."""
        return self._row_size * self.plan.rows * shards // self.plan.shards
