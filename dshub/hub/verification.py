"""Looking again at what is kept: files against checksums, tables against their records."""

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dshub.cache.files import NotAFileError, open_file
from dshub.cache.store import Store
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.checksums import Algorithm, Digest, copy
from dshub.download.sources import Job, jobs
from dshub.errors import ReadError, StoreError, UnsafeArchiveError
from dshub.importing.recognition import check_import
from dshub.importing.records import ImportRecord
from dshub.tables.recipe import find, origin
from dshub.tables.record import SUMS, Provenance
from dshub.tables.table import Table

Advance = Callable[[int], object]
"""What is told how many bytes more were read."""

State = Literal["ok", "missing", "damaged", "unlike"]


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        thing: `file train-images`, `table train`, `figure label-counts of train`.
        state: `ok`; `missing` where it is not in the cache; `damaged` where its bytes are not
            the ones that were kept (they were put aside, and the next fetch mends it); `unlike`
            where a figure differs from the manifest's.
        detail: the fact behind the state.
    """

    thing: str
    state: State
    detail: str = ""


def verify(manifest: Manifest, store: Store) -> Iterator[Finding]:
    """Read every byte that is kept of a dataset and compare it with what it must be.

    Raises:
        StoreError: something may not be read.
    """
    chosen = {split: origin(manifest, split, store) for split in manifest.splits}
    wanted = [job for split, item in chosen.items() for job in jobs(item.manifest, [split])]
    for job in dict.fromkeys(wanted):
        yield _file(job, store)
    for item in chosen.values():
        if item.record is not None and item.record.path:
            yield verify_import(item.record, item.manifest)
    for split in manifest.splits:
        folder = find(manifest, split, store)
        if folder is None:
            yield Finding(f"table {split}", "missing", "not prepared")
            continue
        finding = verify_table(f"table {split}", folder, store)
        yield finding
        if finding.state == "ok":
            yield from _figures(manifest, split, Table(folder))


def verify_import(record: ImportRecord, manifest: Manifest) -> Finding:
    """Compare the files that were imported in another layout by their names and sizes.

    They are a person's own: what they held is in the table, and beside it their checksums.

    Args:
        record: of the import.
        manifest: one that has the layout.
    """
    thing = f"import {record.layout}"
    try:
        check_import(record, manifest)
    except (StoreError, ReadError, UnsafeArchiveError) as error:
        state: State = "damaged" if Path(record.path).exists() else "missing"
        return Finding(thing, state, str(error))
    return Finding(thing, "ok", f"{record.files:,} files at {record.path}, names and sizes")


def _file(job: Job, store: Store) -> Finding:
    thing = f"file {job.name}"
    for digest in (job.resource.digest, job.resource.content_digest):
        path = store.blob(digest) if digest else None
        if path is not None and digest is not None:
            return verify_file(thing, path, digest, store)
    reference = store.reference(job.resource.digest)
    if reference is not None and reference.fault:
        return Finding(thing, "missing", f"{reference.path}: {reference.fault}")
    return Finding(thing, "missing", "not in the cache")


def verify_file(
    thing: str, path: Path, digest: Digest, store: Store, *, advance: Advance = int
) -> Finding:
    """Compare a file with its checksum; a damaged one is put aside. For errors see `verify`.

    Args:
        thing: what the finding calls it.
        path: where it lies.
        digest: what it must hash to.
        store: whose file it is.
        advance: is told the bytes as they are read.
    """
    try:
        wrong = _wrong(path, digest.algorithm, digest.hex, advance)
    except FileNotFoundError:
        return Finding(thing, "missing", "removed meanwhile")
    if wrong:
        return Finding(thing, "damaged", f"{wrong}{_put_aside(path, store)}")
    return Finding(thing, "ok", str(digest.short))


def verify_reference(thing: str, digest: Digest, store: Store) -> Finding:
    """Read a file that was imported by reference; it is the person's, and stays as it is."""
    reference = store.reference(digest)
    if reference is None:
        return Finding(thing, "missing", "removed meanwhile")
    if reference.fault:
        gone = not Path(reference.path).exists()
        return Finding(thing, "missing" if gone else "damaged", reference.fault)
    return verify_file(thing, Path(reference.path), digest, store)


def verify_table(thing: str, folder: Path, store: Store, *, advance: Advance = int) -> Finding:
    """Compare the shards of a table with its record; see `verify_file`."""
    try:
        record = Table(folder).record
    except StoreError as error:
        if not folder.exists():
            return Finding(thing, "missing", "removed meanwhile")
        detail = f"table.json cannot be read: {error.reason}{_put_aside(folder, store)}"
        return Finding(thing, "damaged", detail)
    for shard in record.shards:
        try:
            wrong = _wrong(folder / shard.file, "sha256", shard.sha256, advance)
        except FileNotFoundError:
            wrong = "it is gone"
        if wrong and not folder.exists():
            return Finding(thing, "missing", "removed meanwhile")
        if wrong:
            detail = f"{shard.file} has changed: {wrong}{_put_aside(folder, store)}"
            return Finding(thing, "damaged", detail)
    made = record.provenance
    if isinstance(made, Provenance):
        return _verify_sums(thing, folder, record.rows, made)
    return Finding(thing, "ok", f"{record.rows:,} rows")


def _verify_sums(thing: str, folder: Path, rows: int, made: Provenance) -> Finding:
    """Compare the list of checksums that lies beside a table with the table's record."""
    told = f"{rows:,} rows, of {made.files:,} files whose checksums are in {SUMS}"
    try:
        wrong = _wrong(folder / SUMS, "sha256", made.sums, int)
    except FileNotFoundError:
        wrong = "it is gone"
    if wrong:  # the rows are right, so they stay
        return Finding(thing, "unlike", f"{told}; but {SUMS} has changed: {wrong}")
    return Finding(thing, "ok", told)


def _wrong(path: Path, algorithm: Algorithm, expected: str, advance: Advance) -> str:
    """What is wrong with the bytes of a file; empty where nothing is.

    Raises:
        FileNotFoundError: it is not there.
        StoreError: it may not be read.
    """
    try:
        actual = _read(path, algorithm, advance)
    except FileNotFoundError:
        raise
    except NotAFileError as error:
        return error.strerror or str(error)
    except OSError as error:
        if error.errno == errno.EIO:
            return "the disk cannot read it"
        reason = error.strerror or str(error)
        raise StoreError(path=str(path), action="read", reason=reason) from error
    return "" if actual.hex == expected else f"got {actual}"


def _read(path: Path, algorithm: Algorithm, advance: Advance) -> Digest:
    """The checksum of a file. To look is not to use it, so its time of access is put back."""
    with open_file(path) as file:
        before = os.fstat(file.fileno())
        actual = copy(file, _Counter(advance), algorithm=algorithm)
    with suppress(OSError):
        if path.stat().st_atime_ns != before.st_atime_ns:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return actual


class _Counter:
    """Takes bytes, and tells how many there were."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def write(self, piece: bytes, /) -> None:
        self._advance(len(piece))


def _put_aside(path: Path, store: Store) -> str:
    if not any(path.is_relative_to(place) for place in store.places):
        return f"; it is {path}, imported by reference, and stays"
    if not path.is_relative_to(store.root):
        return f"; it lies in the read-only cache {path}"
    try:
        return f"; put aside as {store.set_aside(path)}"
    except StoreError as error:
        return f"; it stays, for one {error}"


def _figures(manifest: Manifest, split: str, table: Table) -> Iterator[Finding]:
    for figure, expected in manifest.splits[split].figures.items():
        column, _, what = figure.rpartition("-")
        feature = table.features[column]
        shards = [
            np.asarray(table.span(column, int(start), int(stop)))
            for start, stop in itertools.pairwise(table.starts)
        ]
        actual: int | list[int]
        if what == "counts" and isinstance(feature, LabelFeature):
            names = len(feature.names)
            counts = [np.bincount(part, minlength=names) for part in shards]
            actual = np.sum(counts, axis=0).tolist()
        else:
            actual = sum(int(part.sum(dtype=np.int64)) for part in shards)
        same = actual == (list(expected) if isinstance(expected, tuple) else expected)
        detail = "" if same else f"got {actual}, expected {expected}"
        yield Finding(f"figure {figure} of {split}", "ok" if same else "unlike", detail)
