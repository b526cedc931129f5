"""Build tables: read rows out of files, make them fit, write them.

Rows of a split out of its files, made to fit its features.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa

from dshub import archives, formats
from dshub.archives._sources import prefetched
from dshub.cache.store import Store
from dshub.catalog.manifest import LOCAL, Attach, Cut, Join, Manifest, Map, Rename, Split
from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Reader, Skipping
from dshub.importing.holding import LocalFiles
from dshub.importing.recognition import open_import
from dshub.importing.records import ImportRecord
from dshub.progress import Progress, Silent, Task
from dshub.tables.conforming import conform
from dshub.tables.recipe import Origin, Recipe, recipe
from dshub.tables.record import SUMS, Provenance
from dshub.tables.steps import apply as apply_steps
from dshub.tables.writer import TableWriter


class Archives:
    """The files of a manifest: each is opened when a split asks for it, and once for all splits.

    Args:
        paths: the file of each resource.
        scratch: a folder with space for what is unpacked; the system's own where not given.
        local: what a person has that has no checksum, where a split wants that.
        progress: is told how far an archive is unpacked that is compressed as a whole.
    """

    def __init__(
        self,
        manifest: Manifest,
        paths: Mapping[str, Path],
        *,
        scratch: Path | None = None,
        local: LocalFiles | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._manifest, self._paths, self._scratch = manifest, paths, scratch
        self.local, self._progress = local, progress
        self._stack = ExitStack()
        self._opened: dict[str, archives.Archive] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def files(self, reference: str) -> Sequence[File]:
        """What a reference means; see `dshub.archives`."""
        name, _, member = reference.partition(":")
        if name == LOCAL and self.local is not None:
            return self.local.files(member)
        if name not in self._opened:
            resource = self._manifest.resources[name]
            self._opened[name] = self._stack.enter_context(
                archives.open_archive(
                    self._paths[name],
                    title=resource.name or name,
                    limits=resource.limits,
                    scratch=self._scratch,
                    progress=self._progress,
                )
            )
        return self._opened[name].files(member)


def rows_of(manifest: Manifest, split: str, paths: Mapping[str, Path]) -> Iterator[pa.RecordBatch]:
    """Read a split's files and yield its rows as batches that fit its features.

    Args:
        paths: the file of each resource.

    Raises:
        ReadError, UnsafeArchiveError, SchemaError: the files do not hold the promised rows.
    """
    with Archives(manifest, paths) as files:
        yield from rows(manifest, split, files)


def rows(
    manifest: Manifest, split: str, files: Archives, *, first: int = 0
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a split from row `first` on; see `rows_of`.

    What comes before is read again and dropped, unless `skips` says that it need not be. All
    its archives are opened, and unpacked where they have to be, before this returns.
    """
    facts = manifest.splits[split]
    parts = _Parts(facts, files)
    for part in facts.files:
        parts.files(part)
    return _rows(manifest, split, parts, first)


def _rows(
    manifest: Manifest, split: str, parts: "_Parts", first: int
) -> Generator[pa.RecordBatch, None, None]:
    features, row = manifest.split_features(split), 0
    where = f"{manifest.name}, split {split}"
    facts, reader = manifest.splits[split], reader_of(manifest, split)
    given: Mapping[str, Sequence[File]] = {part: parts.files(part) for part in facts.reader_parts}
    if first and skips(manifest, split) and isinstance(reader, Skipping):
        given, row = reader.skip_rows(given, first), first
    for batch in apply_steps(reader.read(given), facts.steps, parts):
        end = row + batch.num_rows
        rest = batch.slice(max(0, first - row))
        if rest.num_rows:
            yield conform(rest, features, where=where, first_row=end - rest.num_rows)
        row = end


def skips(manifest: Manifest, split: str) -> bool:
    """Whether the rows of a split can be read from the middle on without those before."""
    reader, facts = reader_of(manifest, split), manifest.splits[split]
    same = all(isinstance(step, Rename | Map | Cut | Join | Attach) for step in facts.steps)
    return same and isinstance(reader, Skipping)


def reader_of(manifest: Manifest, split: str) -> Reader:
    """The reader of a split.

    Raises:
        UnknownNameError, ManifestError: it is unknown or refuses its options.
    """
    place = f"{manifest.identifier}, splits.{split}.reader"
    return formats.create(manifest.splits[split].reader, place=place)


class _Parts:
    """The files of a split."""

    def __init__(self, facts: Split, files: Archives) -> None:
        self._facts, self._archives = facts, files
        self._files: dict[str, list[File]] = {}
        self._members: dict[str, dict[str, File]] = {}

    def files(self, part: str) -> list[File]:
        """All files of a part, in the order of its references."""
        if part not in self._files:
            names = self._facts.references(part)
            self._files[part] = [file for name in names for file in self._archives.files(name)]
        return self._files[part]

    def member(self, part: str, name: str) -> File:
        """One file of a part, by its name in the archive."""
        if part not in self._members:
            self._members[part] = {file.member: file for file in self.files(part)}
        if name not in self._members[part]:
            title = ", ".join(map(str, self._facts.references(part)))
            raise ReadError(file=title, reason=f"a row is for {name!r}, which is not in it")
        return self._members[part][name]


_AHEAD = 2  # batches that are read and made to fit while an earlier one is written


def make(
    origin: Origin,
    splits: Sequence[str],
    paths: Mapping[str, Path],
    store: Store,
    *,
    progress: Progress | None = None,
) -> None:
    """Make the tables of some splits of one origin, in order.

    An archive that several of them read is opened, and unpacked where it is compressed, once.
    What an interrupted process finished of a table, whole shards of it, is not made again.

    Args:
        origin: where the rows come from.
        splits: whose tables are missing.
        paths: the verified file of each resource, by its name.
        store: where the tables go.

    Raises:
        ReadError, UnsafeArchiveError: a file is not what its format promises.
        SchemaError: the rows do not fit the manifest. Splits before this one are done.
        StoreError: the cache cannot be written; what was imported has changed, or is gone.
    """
    manifest, progress = origin.manifest, progress or Silent()
    with ExitStack() as stack:
        local = None
        if origin.record is not None and origin.record.path:
            local = stack.enter_context(open_import(origin.record, manifest))
        scratch = store.scratch_folder()
        files = stack.enter_context(
            Archives(manifest, paths, scratch=scratch, local=local, progress=progress)
        )
        maker = _Maker(origin, files, store, progress)
        for split in splits:
            maker.table(split, recipe(manifest, split))


@dataclass(frozen=True)
class _Maker:
    """What makes the tables of an origin."""

    origin: Origin
    files: Archives
    store: Store
    progress: Progress

    def table(self, split: str, made: Recipe) -> None:
        """Make the table of a split, unless another process has made it meanwhile."""
        manifest, store = self.origin.manifest, self.store
        title = f"{manifest.name} {split}"
        with store.table_lock(
            manifest.name,
            made.key,
            waiting=lambda other: self.progress.say(
                f"{title} is being prepared by {other}; waiting"
            ),
        ) as owned:
            if store.table(manifest.name, made.key) is None:
                with store.new_table(manifest.name, made.key, orphans=owned) as folder:
                    self._fill(folder, split, made)

    def _fill(self, folder: Path, split: str, made: Recipe) -> None:
        manifest, local = self.origin.manifest, self.files.local
        stamp, sums = "", folder / SUMS
        if local is not None:
            stamp = local.holding.stamp
            local.sums.read(sums)
        with TableWriter(folder, manifest, split) as writer:
            if local is not None:
                writer.before_shard = lambda: local.sums.append(sums)
            writer.resume(stamp)
            self._write(split, writer)
            provenance = None
            if local is not None and self.origin.record is not None:
                provenance = self._provenance(local, self.origin.record, sums)
            writer.close(made.content, provenance)

    def _provenance(self, local: LocalFiles, record: ImportRecord, sums: Path) -> Provenance:
        """Hash what no row has come from, and note what was read."""
        local.read_rest()
        digest = local.sums.write(sums, local.holding.files)
        return Provenance(
            layout=record.layout,
            title=self.origin.manifest.layouts[record.layout].title,
            path=record.path,
            files=record.files,
            size=record.size,
            sums=digest,
        )

    def _write(self, split: str, writer: TableWriter) -> None:
        manifest, promised = self.origin.manifest, self.origin.manifest.splits[split].rows
        begun = writer.rows
        if begun:
            self._say_resumed(split, begun)
        title = f"preparing {manifest.name} {split}"
        made = rows(manifest, split, self.files, first=begun)  # unpacks, with a bar of its own
        with (
            Task(self.progress, title, promised, unit="rows") as task,
            prefetched(made, most=_AHEAD) as batches,
        ):
            task.advance(begun)
            for batch in batches:
                writer.write(batch)
                task.advance(batch.num_rows)
                if writer.rows > promised:
                    raise _wrong_rows(manifest, split, f"more than {promised:,} rows")
            if writer.rows != promised:
                raise _wrong_rows(manifest, split, f"{writer.rows:,} rows")

    def _say_resumed(self, split: str, begun: int) -> None:
        manifest = self.origin.manifest
        told = f"an interrupted run left {begun:,} rows of {manifest.name} {split}; going on"
        again = "" if skips(manifest, split) else ", once what comes before was read again"
        self.progress.say(told + again)


def _wrong_rows(manifest: Manifest, split: str, got: str) -> SchemaError:
    expected = f"{manifest.splits[split].rows:,} rows"
    return SchemaError(where=f"{manifest.name}, split {split}", expected=expected, got=got)
