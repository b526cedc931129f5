"""From a manifest to a table: fetch, read, conform, write; or find it done.

A table is found by its *recipe*: everything that decides its bytes (checksums of the files,
features, reader, its options and its revision), hashed into a key. Two manifests that differ in
words alone share a table; a change that could change a row cannot find an old one.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from dshub import archives, readers, steps
from dshub.errors import DiskFullError, ReadError, SchemaError
from dshub.fetcher import Fetcher, Job
from dshub.manifest import Join, Manifest, Match, Split
from dshub.progress import Progress, Silent, Task, size
from dshub.readers import Reader
from dshub.schema import conform
from dshub.store import Store, table_path
from dshub.table import TableWriter

FORMAT = 1  # raised when the same rows would be written in another form


@dataclass(frozen=True)
class Recipe:
    """What decides a table's bytes, and the key under which it is kept."""

    content: dict[str, Any]
    key: str


def recipe(manifest: Manifest, split: str) -> Recipe:
    """The recipe of a split.

    Raises:
        UnknownNameError, ManifestError: its reader is unknown or refuses its options.
    """
    reader, facts = _reader(manifest, split), manifest.splits[split]
    content: dict[str, Any] = {
        "format": FORMAT,
        "split": split,
        "files": {part: _identity(manifest, facts, part) for part in facts.files},
        "features": dict(manifest.split_features(split)),
        "reader": facts.reader,
        "revision": reader.revision,
    }
    if facts.steps:
        asked = [step for step in facts.steps if isinstance(step, Match | Join)]
        others = [readers.create(step.reader, place=f"{split}.steps").revision for step in asked]
        content |= {"steps": facts.steps, "step-revisions": others}
    data = msgspec.json.encode(content, order="sorted")
    return Recipe(msgspec.json.decode(data), hashlib.sha256(data).hexdigest()[:16])


def _identity(manifest: Manifest, facts: Split, part: str) -> list[Any]:
    """Which bytes a part's references mean: for one, checksum and member; a list of several."""
    found = []
    for reference in facts.references(part):
        resource, _, member = reference.partition(":")
        found.append([str(manifest.resources[resource].digest), member])
    return found[0] if isinstance(facts.files[part], str) else found


def jobs(manifest: Manifest, splits: Sequence[str] | None = None) -> list[Job]:
    """The files that some splits need, all splits where None."""
    wanted = manifest.split_resources(None if splits is None else tuple(splits))
    return [Job(manifest.name, name, resource) for name, resource in wanted.items()]


def find(manifest: Manifest, split: str, store: Store) -> Path | None:
    """The folder of a split's table, or None if it has to be prepared."""
    return store.table(manifest.name, recipe(manifest, split).key)


def prepare(
    manifest: Manifest, split: str, fetcher: Fetcher, *, progress: Progress | None = None
) -> Path:
    """The folder of a split's table, made now if it is not there.

    Raises:
        FetchError and its kinds: a file cannot be had.
        ReadError, UnsafeArchiveError: a file is not what its format promises.
        SchemaError: the rows do not fit the manifest.
        StoreError: the cache cannot be written.
    """
    store = fetcher.store
    made = recipe(manifest, split)
    found = store.table(manifest.name, made.key)
    if found is not None:
        store.touch(found)
        return found
    besides = manifest.prepared_size((split,))
    fetched = fetcher.fetch(jobs(manifest, [split]), besides=besides)
    paths = {item.job.name: item.path for item in fetched}
    _check_space(manifest, split, store)
    target = store.root / table_path(manifest.name, made.key)
    told = progress or Silent()
    title = f"{manifest.name} {split}"
    with store.table_lock(
        manifest.name,
        made.key,
        waiting=lambda other: told.say(f"{title} is being prepared by {other}; waiting"),
    ) as owned:
        if store.table(manifest.name, made.key) is None:
            with (
                store.new_table(manifest.name, made.key, orphans=owned) as folder,
                TableWriter(folder, manifest, split) as writer,
            ):
                _write(manifest, split, paths, writer, made, progress)
    return target


def _write(
    manifest: Manifest,
    split: str,
    paths: Mapping[str, Path],
    writer: TableWriter,
    made: Recipe,
    progress: Progress | None,
) -> None:
    rows = manifest.splits[split].rows
    title = f"preparing {manifest.name} {split}"
    with Task(progress or Silent(), title, rows, unit="rows") as task:
        for batch in rows_of(manifest, split, paths):
            writer.write(batch)
            task.advance(batch.num_rows)
            if writer.rows > rows:
                raise _wrong_rows(manifest, split, f"more than {rows:,} rows")
        if writer.rows != rows:
            raise _wrong_rows(manifest, split, f"{writer.rows:,} rows")
        writer.close(made.content)


def rows_of(manifest: Manifest, split: str, paths: Mapping[str, Path]) -> Iterator[pa.RecordBatch]:
    """Read a split's files and yield its rows as batches that fit its features.

    Args:
        paths: the file of each resource.

    Raises:
        ReadError, UnsafeArchiveError, SchemaError: the files do not hold the promised rows.
    """
    features, row = manifest.split_features(split), 0
    where = f"{manifest.name}, split {split}"
    with ExitStack() as stack:
        facts = manifest.splits[split]
        parts = _Parts(manifest, split, paths, stack)
        files = {part: parts.files(part) for part in facts.reader_parts}
        for batch in steps.apply(_reader(manifest, split).read(files), facts.steps, parts):
            if batch.num_rows:
                yield conform(batch, features, where=where, first_row=row)
                row += batch.num_rows


class _Parts:
    """The files of a split; a resource that several parts share is opened once."""

    def __init__(
        self, manifest: Manifest, split: str, paths: Mapping[str, Path], stack: ExitStack
    ) -> None:
        self._manifest, self._facts = manifest, manifest.splits[split]
        self._paths, self._stack = paths, stack
        self._opened: dict[str, archives.Archive] = {}
        self._members: dict[str, dict[str, archives.ArchiveFile]] = {}

    def files(self, part: str) -> list[archives.ArchiveFile]:
        """All files of a part, in the order of its references."""
        found: list[archives.ArchiveFile] = []
        for reference in self._facts.references(part):
            name, _, member = reference.partition(":")
            found += self._archive(name).files(member)
        return found

    def member(self, part: str, name: str) -> archives.ArchiveFile:
        """One file of a part, by its name in the archive."""
        if part not in self._members:
            self._members[part] = {file.member: file for file in self.files(part)}
        if name not in self._members[part]:
            title = ", ".join(map(str, self._facts.references(part)))
            raise ReadError(file=title, reason=f"a row is for {name!r}, which is not in it")
        return self._members[part][name]

    def _archive(self, name: str) -> archives.Archive:
        if name not in self._opened:
            resource = self._manifest.resources[name]
            self._opened[name] = self._stack.enter_context(
                archives.open_archive(
                    self._paths[name], title=resource.name or name, limits=resource.limits
                )
            )
        return self._opened[name]


def _reader(manifest: Manifest, split: str) -> Reader:
    place = f"{manifest.identifier}, splits.{split}.reader"
    return readers.create(manifest.splits[split].reader, place=place)


def _check_space(manifest: Manifest, split: str, store: Store) -> None:
    needed, free = manifest.prepared_size((split,)), store.free()
    if free is not None and needed > free:
        reason = f"{size(needed)} are to be written and {size(free)} are free"
        raise DiskFullError(path=str(store.root), reason=reason)


def _wrong_rows(manifest: Manifest, split: str, got: str) -> SchemaError:
    expected = f"{manifest.splits[split].rows:,} rows"
    return SchemaError(where=f"{manifest.name}, split {split}", expected=expected, got=got)
