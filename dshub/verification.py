"""Looking again at what is kept: files against checksums, tables against their records."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dshub.digest import Digest
from dshub.errors import StoreError
from dshub.fetcher import Job
from dshub.manifest import LabelFeature, Manifest
from dshub.preparation import find, jobs
from dshub.store import Store
from dshub.table import Table

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
    """Read every byte that is kept of a dataset and compare it with what it must be."""
    for job in jobs(manifest):
        yield _file(job, store)
    for split in manifest.splits:
        folder = find(manifest, split, store)
        if folder is None:
            yield Finding(f"table {split}", "missing", "not prepared")
            continue
        finding = _table(split, folder, store)
        yield finding
        if finding.state == "ok":
            yield from _figures(manifest, split, Table(folder))


def _file(job: Job, store: Store) -> Finding:
    thing = f"file {job.name}"
    for digest in (job.resource.digest, job.resource.content_digest):
        path = store.blob(digest) if digest else None
        if path is None or digest is None:
            continue
        actual = Digest.of_file(path, digest.algorithm)
        if actual == digest:
            return Finding(thing, "ok", str(digest.short))
        return Finding(thing, "damaged", f"got {actual}{_put_aside(path, store)}")
    return Finding(thing, "missing", "not in the cache")


def _table(split: str, folder: Path, store: Store) -> Finding:
    try:
        record = Table(folder).record
    except StoreError as error:
        detail = f"table.json cannot be read: {error.reason}{_put_aside(folder, store)}"
        return Finding(f"table {split}", "damaged", detail)
    for shard in record.shards:
        path = folder / shard.file
        if not path.is_file() or Digest.of_file(path).hex != shard.sha256:
            detail = f"{shard.file} has changed{_put_aside(folder, store)}"
            return Finding(f"table {split}", "damaged", detail)
    return Finding(f"table {split}", "ok", f"{record.rows:,} rows")


def _put_aside(path: Path, store: Store) -> str:
    if not path.is_relative_to(store.root):
        return f"; it lies in the read-only cache {path}"
    return f"; put aside as {store.set_aside(path)}"


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
