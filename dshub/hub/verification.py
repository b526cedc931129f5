"""Verify cached files and tables."""

import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dshub.cache.files import NotAFileError, open_file
from dshub.cache.store import Store
from dshub.catalog.features import LabelFeature, is_image_file
from dshub.catalog.manifest import Manifest
from dshub.checksums import Digest
from dshub.datasets.saved import read_record
from dshub.download.sources import jobs
from dshub.errors import ReadError, StoreError, UnsafeArchiveError
from dshub.importing.recognition import check_import
from dshub.importing.records import ImportRecord
from dshub.tables.encodings import other_formats, sentences
from dshub.tables.missing import present
from dshub.tables.recipe import find, origin
from dshub.tables.record import SUMS, Provenance, Shard
from dshub.tables.table import Table

Advance = Callable[[int], object]
"""Callback that takes the number of bytes of each read."""

State = Literal["ok", "missing", "damaged", "unlike", "bad"]
_REMOVED = "removed during verification"
_GONE = "it is missing"


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be decoded.

    Attributes:
        split, row, column: place of the file.
        file: original name of the file, or empty if it is unknown.
        reason: reason, without the place.
    """

    split: str
    row: int
    column: str
    file: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """The verification result of one file, table or figure.

    Attributes:
        thing: subject of the check, such as `file train-images`, `table train` or
            `figure label-counts of train`.
        state: `ok`; `missing` from the cache; `damaged`, in which case the next fetch replaces it;
            `unlike` if a figure or a list of checksums differs from its record; or `bad` if
            upstream's file cannot be decoded.
        detail: explanation of the state.
        file: file that cannot be decoded, or None.
    """

    thing: str
    state: State
    detail: str = ""
    file: BadFile | None = None


def verify(manifest: Manifest, store: Store) -> Iterator[Finding]:
    """Compare all cached files and tables of a dataset with their checksums.

    Raises:
        StoreError: a file cannot be opened, for example without permission.
    """
    origins = {split: origin(manifest, split, store) for split in manifest.splits}
    needed = [job for split, item in origins.items() for job in jobs(item.manifest, [split])]
    for job in dict.fromkeys(needed):
        digests = (job.resource.digest, job.resource.content_digest)
        yield verify_digests(f"file {job.name}", digests, store)
    for item in origins.values():
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
            table = Table(folder)
            yield from _compare_figures(manifest, split, table)
            yield from _count_formats(split, table)


def verify_import(record: ImportRecord, manifest: Manifest) -> Finding:
    """Compare the names and sizes of imported files with the import record.

    Args:
        record: record of the import.
        manifest: manifest with the layout of the import.
    """
    thing = f"import {record.layout}"
    try:
        check_import(record, manifest)
    except (StoreError, ReadError, UnsafeArchiveError) as error:
        state: State = "damaged" if Path(record.path).exists() else "missing"
        return Finding(thing, state, str(error))
    return Finding(thing, "ok", f"{record.files:,} files at {record.path}, names and sizes")


def verify_digests(thing: str, digests: Iterable[Digest | None], store: Store) -> Finding:
    """Verify the first file in the store that has one of the checksums.

    Files imported by reference are outside the cache and are never moved.
    """
    finding = Finding(thing, "missing", "not in the cache")
    for digest in filter(None, digests):
        path = store.blob(digest)
        if path is not None:
            return verify_file(thing, path, digest, store)
        reference = store.reference(digest)
        if reference is not None:
            state: State = "damaged" if Path(reference.path).exists() else "missing"
            finding = Finding(thing, state, f"{reference.path}: {reference.fault or _REMOVED}")
    return finding


def verify_file(
    thing: str, path: Path, digest: Digest, store: Store, *, advance: Advance = int
) -> Finding:
    """Compare a file with its checksum, and set it aside if it is damaged.

    Args:
        thing: name of the file in the finding.
        path: path of the file.
        digest: expected checksum.
        store: cache of the file.
        advance: callback for the number of bytes of each read.

    Raises:
        StoreError: the file cannot be opened, for example without permission.
    """
    fault = _find_fault(path, digest, advance)
    if fault == _GONE:
        return Finding(thing, "missing", _REMOVED)
    if fault:
        return Finding(thing, "damaged", f"{fault}{_set_aside(path, store)}")
    return Finding(thing, "ok", digest.short)


def verify_table(thing: str, folder: Path, store: Store, *, advance: Advance = int) -> Finding:
    """Compare the shards of a table with their checksums, and set a damaged table aside."""
    try:
        record = Table(folder).record
    except StoreError as error:
        return _damaged(thing, folder, store, f"table.json cannot be read: {error.reason}")
    fault = _find_shard_fault(folder, record.shards, advance)
    if fault:
        return _damaged(thing, folder, store, fault)
    if isinstance(record.provenance, Provenance):
        return _verify_sums(thing, folder, record.rows, record.provenance)
    return Finding(thing, "ok", f"{record.rows:,} rows")


def verify_derived(thing: str, folder: Path, store: Store, *, advance: Advance = int) -> Finding:
    """Compare the shards of a derived dataset with their checksums, and set a damaged one aside."""
    try:
        record = read_record(folder)
    except StoreError as error:
        return _damaged(thing, folder, store, f"dataset.json cannot be read: {error.reason}")
    fault = _find_shard_fault(folder, record.shards, advance)
    if fault:
        return _damaged(thing, folder, store, fault)
    return Finding(thing, "ok", f"{record.rows:,} rows")


def _find_shard_fault(folder: Path, shards: Sequence[Shard], advance: Advance) -> str:
    """Return why a shard does not match its checksum, or an empty string if all of them do."""
    for shard in shards:
        fault = _find_fault(folder / shard.file, Digest("sha256", shard.sha256), advance)
        if fault:
            return f"{shard.file} does not match its checksum: {fault}"
    return ""


def _damaged(thing: str, folder: Path, store: Store, fault: str) -> Finding:
    """Set a damaged folder aside, unless another process removed it, and return the finding."""
    if not folder.exists():
        return Finding(thing, "missing", _REMOVED)
    return Finding(thing, "damaged", f"{fault}{_set_aside(folder, store)}")


def _verify_sums(thing: str, folder: Path, rows: int, provenance: Provenance) -> Finding:
    """Compare the checksum list of imported files with the record of their table."""
    detail = f"{rows:,} rows from {provenance.files:,} files with checksums in {SUMS}"
    fault = _find_fault(folder / SUMS, Digest("sha256", provenance.sums), int)
    if fault:  # not "damaged", because the rows are correct
        return Finding(thing, "unlike", f"{detail}, but {SUMS} has changed: {fault}")
    return Finding(thing, "ok", detail)


def _find_fault(path: Path, digest: Digest, advance: Advance) -> str:
    """Return why a file does not match its checksum, or an empty string if it does.

    Raises:
        StoreError: the file cannot be opened, for example without permission.
    """
    try:
        actual = _hash(path, digest, advance)
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, NotAFileError):
            return reason
        if error.errno == errno.EIO:
            return "the disk cannot read it"
        raise StoreError(path=str(path), action="read", reason=reason) from error
    return "" if actual == digest else f"got {actual}"


def _hash(path: Path, digest: Digest, advance: Advance) -> Digest:
    """Return the checksum of a file, and restore its access time, which records its last use."""
    with open_file(path) as file:
        before = os.fstat(file.fileno())
        actual = Digest.of_stream(file, digest.algorithm, advance)
    with suppress(OSError):
        if path.stat().st_atime_ns != before.st_atime_ns:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return actual


def _set_aside(path: Path, store: Store) -> str:
    """Set damaged content aside if it is in the writable cache, and describe its new location."""
    if not any(path.is_relative_to(place) for place in store.places):
        return f"; {path} was imported by reference and was not moved"
    if not path.is_relative_to(store.root):
        return f"; it is in the read-only cache: {path}"
    try:
        return f"; set aside as {store.set_aside(path)}"
    except StoreError as error:
        return f"; it could not be set aside: {error}"


def _count_formats(split: str, table: Table) -> Iterator[Finding]:
    """Report image files that do not have the format of their column."""
    names = [name for name, feature in table.features.items() if is_image_file(feature)]
    chunks = ((name, chunk) for name in names for chunk in table.arrow(name))
    for sentence in sentences(other_formats(chunks, table.features), table.features):
        yield Finding(f"formats of {split}", "ok", sentence)


def _compare_figures(manifest: Manifest, split: str, table: Table) -> Iterator[Finding]:
    for figure, published in manifest.splits[split].figures.items():
        column, _, kind = figure.rpartition("-")
        feature = table.features[column]
        shards = [
            present(np.asanyarray(table.span(column, int(start), int(stop))))
            for start, stop in itertools.pairwise(table.starts)
        ]
        actual: int | list[int]
        if kind == "counts" and isinstance(feature, LabelFeature):
            counts = [np.bincount(part, minlength=len(feature.names)) for part in shards]
            actual = np.sum(counts, axis=0).tolist()
        else:
            actual = sum(int(part.sum(dtype=np.int64)) for part in shards)
        expected = list(published) if isinstance(published, tuple) else published
        same = actual == expected
        detail = "" if same else f"got {actual}, expected {expected}"
        yield Finding(f"figure {figure} of {split}", "ok" if same else "unlike", detail)
