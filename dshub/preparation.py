"""From a manifest to a table: fetch, read, conform, write; or find it done.

A table is found by its *recipe*: everything that decides its bytes (checksums of the files,
features, reader, its options and its revision), hashed into a key. Two manifests that differ in
words alone share a table; a change that could change a row cannot find an old one.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import pyarrow as pa

from dshub import archives, readers, steps
from dshub.errors import DiskFullError, ReadError, SchemaError
from dshub.fetcher import Fetcher, Job
from dshub.manifest import Join, Manifest, Match, Split
from dshub.prefetch import prefetched
from dshub.progress import Progress, Silent, Task, size
from dshub.readers import Reader
from dshub.schema import conform
from dshub.store import Store, table_path
from dshub.table import TableWriter

FORMAT = 1  # raised when the same rows would be written in another form
_AHEAD = 2  # batches that are read and made to fit while an earlier one is written


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


class Archives:
    """The files of a manifest: each is opened when a split asks for it, and once for all splits.

    Args:
        paths: the file of each resource.
        scratch: a folder with space for what is unpacked; the system's own where not given.
    """

    def __init__(
        self, manifest: Manifest, paths: Mapping[str, Path], *, scratch: Path | None = None
    ) -> None:
        self._manifest, self._paths, self._scratch = manifest, paths, scratch
        self._stack = ExitStack()
        self._opened: dict[str, archives.Archive] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def files(self, reference: str) -> list[archives.ArchiveFile]:
        """What a reference means; see `dshub.archives`."""
        name, _, member = reference.partition(":")
        if name not in self._opened:
            resource = self._manifest.resources[name]
            self._opened[name] = self._stack.enter_context(
                archives.open_archive(
                    self._paths[name],
                    title=resource.name or name,
                    limits=resource.limits,
                    scratch=self._scratch,
                )
            )
        return self._opened[name].files(member)


def prepare(
    manifest: Manifest, split: str, fetcher: Fetcher, *, progress: Progress | None = None
) -> Path:
    """The folder of a split's table, made now if it is not there; raises as `prepare_splits`."""
    return prepare_splits(manifest, [split], fetcher, progress=progress)[0]


def prepare_splits(
    manifest: Manifest,
    splits: Sequence[str],
    fetcher: Fetcher,
    *,
    progress: Progress | None = None,
) -> list[Path]:
    """The folder of each split's table; those that are not there are made now, in order.

    An archive that several of them read is opened, and unpacked where it is compressed, once.

    Raises:
        FetchError and its kinds: a file cannot be had.
        ReadError, UnsafeArchiveError: a file is not what its format promises.
        SchemaError: the rows do not fit the manifest. Splits before this one are done.
        StoreError: the cache cannot be written.
    """
    store = fetcher.store
    recipes = {split: recipe(manifest, split) for split in splits}
    found = {split: store.table(manifest.name, made.key) for split, made in recipes.items()}
    for folder in filter(None, found.values()):
        store.touch(folder)
    missing = {split: recipes[split] for split, folder in found.items() if folder is None}
    if missing:
        besides = manifest.prepared_size(tuple(missing)) + unpacked_size(manifest, [*missing])
        fetched = fetcher.fetch(jobs(manifest, [*missing]), besides=besides)
        paths = {item.job.name: item.path for item in fetched}
        _check_space(besides, store)
        with Archives(manifest, paths, scratch=store.scratch_folder()) as files:
            maker = _Maker(manifest, files, store, progress or Silent())
            found |= {split: maker.table(split, made) for split, made in missing.items()}
    return [folder for folder in found.values() if folder is not None]


def unpacked_size(manifest: Manifest, splits: Sequence[str]) -> int:
    """Bytes, at least, that archives take on disk meanwhile which are unpacked as a whole.

    An archive tells its size only when it has been read; few are larger packed than unpacked.
    """
    total = 0
    for resource in manifest.split_resources(tuple(splits)).values():
        packing = archives.container_for(resource.name)
        if packing is not None and packing.stream is not None:
            total += resource.size or 0
    return total


@dataclass(frozen=True)
class _Maker:
    """What makes the tables of a manifest."""

    manifest: Manifest
    files: Archives
    store: Store
    progress: Progress

    def table(self, split: str, made: Recipe) -> Path:
        """The folder of a split's table, which another process may have made meanwhile."""
        manifest, store = self.manifest, self.store
        title = f"{manifest.name} {split}"
        with store.table_lock(
            manifest.name,
            made.key,
            waiting=lambda other: self.progress.say(
                f"{title} is being prepared by {other}; waiting"
            ),
        ) as owned:
            if store.table(manifest.name, made.key) is None:
                with (
                    store.new_table(manifest.name, made.key, orphans=owned) as folder,
                    TableWriter(folder, manifest, split) as writer,
                ):
                    self._write(split, writer)
                    writer.close(made.content)
        return store.root / table_path(manifest.name, made.key)

    def _write(self, split: str, writer: TableWriter) -> None:
        rows = self.manifest.splits[split].rows
        title = f"preparing {self.manifest.name} {split}"
        with (
            Task(self.progress, title, rows, unit="rows") as task,
            prefetched(_rows(self.manifest, split, self.files), most=_AHEAD) as batches,
        ):
            for batch in batches:
                writer.write(batch)
                task.advance(batch.num_rows)
                if writer.rows > rows:
                    raise _wrong_rows(self.manifest, split, f"more than {rows:,} rows")
            if writer.rows != rows:
                raise _wrong_rows(self.manifest, split, f"{writer.rows:,} rows")


def rows_of(manifest: Manifest, split: str, paths: Mapping[str, Path]) -> Iterator[pa.RecordBatch]:
    """Read a split's files and yield its rows as batches that fit its features.

    Args:
        paths: the file of each resource.

    Raises:
        ReadError, UnsafeArchiveError, SchemaError: the files do not hold the promised rows.
    """
    with Archives(manifest, paths) as files:
        yield from _rows(manifest, split, files)


def _rows(manifest: Manifest, split: str, files: Archives) -> Generator[pa.RecordBatch, None, None]:
    features, row = manifest.split_features(split), 0
    where = f"{manifest.name}, split {split}"
    facts, parts = manifest.splits[split], _Parts(manifest.splits[split], files)
    read = _reader(manifest, split).read({part: parts.files(part) for part in facts.reader_parts})
    for batch in steps.apply(read, facts.steps, parts):
        if batch.num_rows:
            yield conform(batch, features, where=where, first_row=row)
            row += batch.num_rows


class _Parts:
    """The files of a split."""

    def __init__(self, facts: Split, files: Archives) -> None:
        self._facts, self._archives = facts, files
        self._members: dict[str, dict[str, archives.ArchiveFile]] = {}

    def files(self, part: str) -> list[archives.ArchiveFile]:
        """All files of a part, in the order of its references."""
        references = self._facts.references(part)
        return [file for reference in references for file in self._archives.files(reference)]

    def member(self, part: str, name: str) -> archives.ArchiveFile:
        """One file of a part, by its name in the archive."""
        if part not in self._members:
            self._members[part] = {file.member: file for file in self.files(part)}
        if name not in self._members[part]:
            title = ", ".join(map(str, self._facts.references(part)))
            raise ReadError(file=title, reason=f"a row is for {name!r}, which is not in it")
        return self._members[part][name]


def _reader(manifest: Manifest, split: str) -> Reader:
    place = f"{manifest.identifier}, splits.{split}.reader"
    return readers.create(manifest.splits[split].reader, place=place)


def _check_space(needed: int, store: Store) -> None:
    free = store.free()
    if free is not None and needed > free:
        reason = f"{size(needed)} are to be written and {size(free)} are free"
        raise DiskFullError(path=str(store.root), reason=reason)


def _wrong_rows(manifest: Manifest, split: str, got: str) -> SchemaError:
    expected = f"{manifest.splits[split].rows:,} rows"
    return SchemaError(where=f"{manifest.name}, split {split}", expected=expected, got=got)
