"""Rows of a split out of its files, made to fit its features."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pyarrow as pa

from dshub import archives, readers, steps
from dshub.errors import ReadError
from dshub.layouts.holding import LocalFiles
from dshub.manifest import LOCAL, Attach, Cut, Join, Manifest, Map, Rename, Split
from dshub.progress import Progress
from dshub.readers import File, Reader, Skipping
from dshub.schema import conform


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
    for batch in steps.apply(reader.read(given), facts.steps, parts):
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
    return readers.create(manifest.splits[split].reader, place=place)


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
