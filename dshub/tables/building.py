"""Build tables: read rows from files, convert them to their features, and write them."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from dshub import archives, formats
from dshub.archives._sources import prefetched
from dshub.cache.locks import Waiting
from dshub.cache.store import Store
from dshub.catalog.features import is_encoded
from dshub.catalog.file_names import FileNames
from dshub.catalog.manifest import LOCAL, Attach, Cut, Join, Manifest, Map, Rename, Stack
from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Naming, Reader, Skipping
from dshub.importing.holding import LocalFiles
from dshub.importing.recognition import open_import
from dshub.progress import Progress, Silent, Task
from dshub.tables.conforming import conform
from dshub.tables.encodings import other_formats, sentences
from dshub.tables.recipe import Origin, recipe
from dshub.tables.record import SUMS, Provenance
from dshub.tables.steps import apply as apply_steps
from dshub.tables.writer import TableWriter

_AHEAD = 2  # batches to prefetch while writing


@dataclass(frozen=True)
class _Files:
    """The files of a manifest. Each archive is opened once, on first use.

    Attributes:
        manifest: manifest of the dataset.
        paths: file path of each resource.
        stack: exit stack that closes the archives.
        scratch: folder for unpacked archives; the system's temporary folder if None.
        local: imported files without checksums, or None for upstream files.
        progress: progress display for unpacking and preparing.
    """

    manifest: Manifest
    paths: Mapping[str, Path]
    stack: ExitStack
    scratch: Path | None = None
    local: LocalFiles | None = None
    progress: Progress = field(default_factory=Silent)
    _archives: dict[str, archives.Archive] = field(default_factory=dict)

    def files(self, reference: str) -> Sequence[File]:
        """Return the files of a reference such as `resource:member`; see `dshub.archives`."""
        name, _, member = reference.partition(":")
        if name == LOCAL and self.local is not None:
            return self.local.files(member)
        if name not in self._archives:
            resource = self.manifest.resources[name]
            archive = archives.open_archive(
                self.paths[name],
                title=resource.name or name,
                limits=resource.limits,
                encoding=resource.member_encoding,
                scratch=self.scratch,
                progress=self.progress,
            )
            self._archives[name] = self.stack.enter_context(archive)
        return self._archives[name].files(member)


class _Parts:
    """The open files of a split, by part."""

    def __init__(self, files: _Files, split: str) -> None:
        self._facts = files.manifest.splits[split]
        self._files = {
            part: [file for name in self._facts.references(part) for file in files.files(name)]
            for part in self._facts.files
        }
        self._members: dict[str, tuple[dict[str, File], FileNames]] = {}

    def files(self, part: str) -> list[File]:
        """Return all files of a part, in reference order."""
        return self._files[part]

    def member(self, part: str, name: str) -> File:
        """Return the file of a part with this name in its archive, in any Unicode form and case."""
        if part not in self._members:
            members = {file.member: file for file in self._files[part]}
            self._members[part] = members, FileNames(members)
        members, names = self._members[part]
        found = names.find(name)
        if len(found) == 1:
            return members[found[0]]
        title = ", ".join(map(str, self._facts.references(part)))
        if found:
            reason = f"a row refers to {name!r}, which could be {' or '.join(map(repr, found))}"
            raise ReadError(file=title, reason=reason, hint="rename one of these files")
        raise ReadError(file=title, reason=f"it has no file {name!r}, which a row refers to")


@dataclass(frozen=True)
class _NamedParts:
    """The open files of a split, where the files of rows contain their names."""

    parts: _Parts

    def files(self, part: str) -> list[File]:
        return self.parts.files(part)

    def member(self, part: str, name: str) -> File:
        return _NamedFile(self.parts.member(part, name))


class _NamedFile:
    """A file that contains its own name."""

    def __init__(self, file: File) -> None:
        self.name, self.member, self.check_size = file.name, file.member, file.check_size

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        yield BytesIO(self.name.encode())


def rows_of(manifest: Manifest, split: str, paths: Mapping[str, Path]) -> Iterator[pa.RecordBatch]:
    """Read the files of a split and yield its rows in batches that match its features.

    Args:
        manifest: manifest of the dataset.
        split: name of the split.
        paths: file path of each resource.

    Raises:
        ReadError, UnsafeArchiveError, SchemaError: the files do not contain the promised rows.
    """
    with ExitStack() as stack:
        yield from _rows(manifest, split, _Parts(_Files(manifest, paths, stack), split))


def _rows(
    manifest: Manifest, split: str, parts: _Parts, *, first: int = 0
) -> Generator[pa.RecordBatch, None, None]:
    """Yield the rows of a split, beginning with row `first`.

    Earlier rows are read and dropped unless the reader can skip them.
    """
    facts, reader = manifest.splits[split], reader_of(manifest, split)
    features, where, row = manifest.split_features(split), f"{manifest.name}, split {split}", 0
    files: Mapping[str, Sequence[File]] = {part: parts.files(part) for part in facts.reader_parts}
    if first and _can_skip(manifest, split) and isinstance(reader, Skipping):
        files, row = reader.skip_rows(files, first), first
    for batch in apply_steps(reader.read(files), facts.steps, parts):
        end = row + batch.num_rows
        remaining = batch.slice(max(0, first - row))
        if remaining.num_rows:
            try:
                conformed = conform(
                    remaining, features, where=where, first_row=end - remaining.num_rows
                )
            except SchemaError as error:
                raise _naming_file(error, manifest, split, parts) from None
            yield conformed
        row = end


def _naming_file(error: SchemaError, manifest: Manifest, split: str, parts: _Parts) -> SchemaError:
    """Return an error that names the original file of its row, if the row has one."""
    prefix = f"{manifest.name}, split {split}, column "
    column = error.where.removeprefix(prefix).partition(",")[0]
    feature = manifest.split_features(split).get(column)
    if error.row is None or feature is None or not is_encoded(feature):
        return error
    names = _names(manifest, split, parts, column)
    if names is None or error.row >= len(names):
        return error
    where = f"{error.where} ({names[error.row].as_py().decode(errors='replace')})"
    return SchemaError(
        where=where, expected=error.expected, got=error.got, hint=error.hint, row=error.row
    )


def file_names(
    origin: Origin, split: str, paths: Mapping[str, Path], column: str
) -> pa.ChunkedArray | None:
    """Return the name of the original file of each row of a column, as bytes, without reading it.

    Args:
        origin: source of the rows.
        split: name of the split.
        paths: path of each resource.
        column: column of files.

    Returns:
        The names in the order of the rows, or None if the column does not come from one file per
        row.

    Raises:
        ReadError, UnsafeArchiveError, SchemaError: the files do not contain the promised rows.
        StoreError: imported files have changed or are missing.
    """
    with ExitStack() as stack:
        local = None
        if origin.record is not None and origin.record.path:
            local = stack.enter_context(open_import(origin.record, origin.manifest))
        parts = _Parts(_Files(origin.manifest, paths, stack, local=local), split)
        return _names(origin.manifest, split, parts, column)


def _names(manifest: Manifest, split: str, parts: _Parts, column: str) -> pa.ChunkedArray | None:
    facts, reader = manifest.splits[split], reader_of(manifest, split)
    is_attached = any(isinstance(step, Attach) and step.column == column for step in facts.steps)
    if not is_attached and not isinstance(reader, Naming):
        return None
    files = {part: parts.files(part) for part in facts.reader_parts}
    read = reader.read_names if isinstance(reader, Naming) else reader.read
    batches = apply_steps(read(files), facts.steps, _NamedParts(parts))
    return pa.chunked_array([batch.column(column).cast(pa.binary()) for batch in batches])


def _can_skip(manifest: Manifest, split: str) -> bool:
    """Return True if the reader and steps of a split can skip rows without reading them."""
    steps = manifest.splits[split].steps
    one_to_one = all(isinstance(step, Rename | Map | Cut | Join | Attach | Stack) for step in steps)
    return one_to_one and isinstance(reader_of(manifest, split), Skipping)


def reader_of(manifest: Manifest, split: str) -> Reader:
    """Return the reader of a split.

    Raises:
        UnknownNameError, ManifestError: the reader does not exist, or rejects its options.
    """
    place = f"{manifest.identifier}, splits.{split}.reader"
    return formats.create(manifest.splits[split].reader, place=place)


def make(
    origin: Origin,
    splits: Sequence[str],
    paths: Mapping[str, Path],
    store: Store,
    *,
    progress: Progress | None = None,
) -> None:
    """Build the tables of splits from one origin, in order.

    An archive shared by several splits is opened and unpacked only once. Shards that an
    interrupted process finished are kept.

    Args:
        origin: source of the rows.
        splits: names of the splits without a table.
        paths: path of the verified file for each resource.
        store: cache for the tables.
        progress: progress display for rows, and for waiting for other processes.

    Raises:
        ReadError, UnsafeArchiveError: a file does not have its promised format.
        SchemaError: the rows do not match the manifest. The tables of earlier splits are kept.
        StoreError: the cache cannot be written, or imported files have changed or are missing.
    """
    with ExitStack() as stack:
        local = None
        if origin.record is not None and origin.record.path:
            local = stack.enter_context(open_import(origin.record, origin.manifest))
        scratch, progress = store.scratch_folder(), progress or Silent()
        files = _Files(origin.manifest, paths, stack, scratch, local, progress)
        for split in splits:
            _make_table(split, files, store)


def _make_table(split: str, files: _Files, store: Store) -> None:
    name, table = files.manifest.name, recipe(files.manifest, split)

    def waiting(other: Waiting) -> None:
        files.progress.say(f"{name} {split} is being prepared by {other}; waiting")

    with store.table_lock(name, table.key, waiting=waiting) as owned:
        if store.table(name, table.key) is not None:  # built by another process while waiting
            return
        with (
            store.new_table(name, table.key, orphans=owned) as folder,
            TableWriter(folder, files.manifest, split) as writer,
        ):
            provenance = None
            if files.local is not None:
                provenance = _write_local(writer, split, files, files.local, folder / SUMS)
            else:
                writer.resume("")
                _write_rows(writer, split, files)
            writer.close(table.content, provenance)


def _write_local(
    writer: TableWriter, split: str, files: _Files, local: LocalFiles, sums: Path
) -> Provenance:
    """Write rows from imported files, and the checksums of those files to `sums`."""
    holding = local.holding
    local.sums.read(sums)
    writer.before_shard = lambda: local.sums.append(sums)
    writer.resume(holding.stamp)
    _write_rows(writer, split, files)
    local.hash_remaining()
    return Provenance(
        layout=holding.layout,
        title=files.manifest.layouts[holding.layout].title,
        path=str(holding.path),
        files=len(holding.files),
        size=holding.size,
        sums=local.sums.write(sums, holding.files),
    )


def _write_rows(writer: TableWriter, split: str, files: _Files) -> None:
    manifest, done = files.manifest, writer.rows
    promised = manifest.splits[split].rows
    if done:
        again = "" if _can_skip(manifest, split) else ", reading those again first"
        text = f"resuming {manifest.name} {split} after {done:,} rows of an interrupted run{again}"
        files.progress.say(text)
    features = manifest.split_features(split)
    others: Counter[tuple[str, str]] = Counter()
    generator = _rows(manifest, split, _Parts(files, split), first=done)
    with (
        Task(files.progress, f"preparing {manifest.name} {split}", promised, unit="rows") as task,
        prefetched(generator, most=_AHEAD) as batches,
    ):
        task.advance(done)
        for batch in batches:
            writer.write(batch)
            others += other_formats(zip(batch.schema.names, batch.columns, strict=True), features)
            task.advance(batch.num_rows)
            if writer.rows > promised:
                raise _wrong_rows(manifest, split, f"more than {promised:,} rows")
        if writer.rows != promised:
            raise _wrong_rows(manifest, split, f"{writer.rows:,} rows")
    for sentence in sentences(others, features):
        files.progress.say(f"{manifest.name} {split}, {sentence}")


def _wrong_rows(manifest: Manifest, split: str, got: str) -> SchemaError:
    expected = f"{manifest.splits[split].rows:,} rows"
    return SchemaError(where=f"{manifest.name}, split {split}", expected=expected, got=got)
