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

from dshub import archives, readers
from dshub.errors import DiskFullError, SchemaError
from dshub.fetcher import Fetcher, Job
from dshub.manifest import Manifest
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
    reader = _reader(manifest, split)
    files = {}
    for part, reference in manifest.splits[split].files.items():
        resource, _, member = reference.partition(":")
        files[part] = [str(manifest.resources[resource].digest), member]
    content = {
        "format": FORMAT,
        "split": split,
        "files": files,
        "features": dict(manifest.split_features(split)),
        "reader": manifest.splits[split].reader,
        "revision": reader.revision,
    }
    data = msgspec.json.encode(content, order="sorted")
    return Recipe(msgspec.json.decode(data), hashlib.sha256(data).hexdigest()[:16])


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
        files = _open(manifest, split, paths, stack)
        for batch in _reader(manifest, split).read(files):
            yield conform(batch, features, where=where, first_row=row)
            row += batch.num_rows


def _open(
    manifest: Manifest, split: str, paths: Mapping[str, Path], stack: ExitStack
) -> dict[str, list[archives.ArchiveFile]]:
    """The files of each part; a resource that several parts share is opened once."""
    opened: dict[str, archives.Archive] = {}
    files = {}
    for part, reference in manifest.splits[split].files.items():
        name, _, member = reference.partition(":")
        if name not in opened:
            resource = manifest.resources[name]
            opened[name] = stack.enter_context(
                archives.open_archive(
                    paths[name], title=resource.name or name, limits=resource.limits
                )
            )
        files[part] = opened[name].files(member)
    return files


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
