"""Describe cached items for users, as in `fashion-mnist: train-images, shared with mnist`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dshub._validate import decode_paths
from dshub.cache.files import read_file
from dshub.cache.paths import DATASET_FILE
from dshub.cache.usage import Leftover, Sort, Usage
from dshub.catalog.manifest import Manifest, Resource
from dshub.progress import size
from dshub.tables.record import TableRecord

_TEMPORARY: dict[Sort, str] = {
    "table": "an unfinished table",
    "scratch": "a working folder",
    "text": "an unfinished small file",
    "removed": "content that is being removed",
}


@dataclass(frozen=True)
class Owner:
    """A resource of a dataset that matches a cached file."""

    manifest: Manifest
    resource: str

    @property
    def file(self) -> Resource:
        """The manifest entry of the resource."""
        return self.manifest.resources[self.resource]


def describe(
    item: Usage, leftover: Leftover | None, owners: Sequence[Owner], record: TableRecord | None
) -> str:
    """Return a description of a cached item to show to users.

    Args:
        item: the cached item.
        leftover: the parsed file name of an item of kind `partial`.
        owners: the resources with the checksum of the item; the first one names it.
        record: the record of the table, if the item is one.
    """
    if record is not None:
        return _mark(f"{item.name} {record.split}", record.manifest)
    if leftover is not None:
        return _describe_leftover(item, leftover, owners)
    if item.kind == "derived":
        return _describe_derived(item)
    dataset, _, layout = item.name.rpartition("/")
    file = _describe_file(owners) or f"file {_cut(item.name)} of an unknown dataset"
    if item.kind == "imported":
        subject = f"{dataset}: imported as {layout}" if dataset else file
        return f"{subject}, {import_location(item.path) or 'from files with checksums'}"
    names = {
        "raw": file,
        "synthetic": f"manifest of synthetic {dataset}",
        "other": f"{item.name}, not made by dshub",
    }
    return names.get(item.kind, item.name)


def _describe_leftover(item: Usage, leftover: Leftover, owners: Sequence[Owner]) -> str:
    if leftover.sort in _TEMPORARY:
        return _TEMPORARY[leftover.sort]
    if leftover.sort == "derived":
        return f"{'lock file of' if item.name.endswith('.lock') else 'unfinished'} {leftover.of}"
    file = _describe_file(owners)
    if leftover.sort == "damaged":
        return f"damaged {file or leftover.of}"
    file = file or f"file {_cut(leftover.of)}"
    if leftover.sort == "rejected":
        return f"rejected bytes of {file}"
    return f"download of {file}, {size(item.size)} so far"


class _Origin(msgspec.Struct, frozen=True):
    """The identifying fields of a manifest."""

    name: str
    version: str


class _Derived(msgspec.Struct, frozen=True):
    """The fields of `dataset.json` that describe a derived dataset."""

    version: str
    manifest: _Origin | None = None


def _describe_derived(item: Usage) -> str:
    """Return name, version and origin, such as `imdb-bert, version 2, from imdb@1.0.0`."""
    try:
        record = msgspec.json.decode(read_file(item.path / DATASET_FILE), type=_Derived)
    except (OSError, ValueError):
        return f"{item.name}, with an unreadable {DATASET_FILE}"
    origin = record.manifest
    source = f", from {origin.name}@{origin.version}" if origin else ""
    return f"{item.name}, version {record.version}{source}"


class _Record(msgspec.Struct, frozen=True):
    """The `path` field of an import record."""

    path: str


def import_location(record: Path) -> str:
    """Return the location of imported files from their import record: `at /data/train.tar`."""
    try:
        path = decode_paths(read_file(record), _Record).path
    except (OSError, ValueError):
        return "with an unreadable import record"
    return f"at {path}" if path else ""


def _describe_file(owners: Sequence[Owner]) -> str:
    """Return a description such as `fashion-mnist: train-images, shared with mnist`."""
    if not owners:
        return ""
    manifest = owners[0].manifest
    name = _mark(f"{manifest.name}: {owners[0].resource}", manifest)
    sharing = list(dict.fromkeys(owner.manifest.name for owner in owners))[1:]
    if not sharing:
        return name
    return f"{name}, shared with {sharing[0] if len(sharing) == 1 else f'{len(sharing)} others'}"


def _mark(name: str, manifest: Manifest) -> str:
    return f"{name} (synthetic)" if manifest.synthetic else name


def _cut(name: str) -> str:
    return f"{name[:12]}…" if len(name) > 13 else name
