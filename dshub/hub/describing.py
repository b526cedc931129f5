"""Describe cached items in words: `fashion-mnist: train-images, shared with mnist`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dshub._validate import decode_paths
from dshub.cache.files import read_file
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
    """A resource of a dataset, as the owner of a cached file."""

    manifest: Manifest
    resource: str

    @property
    def file(self) -> Resource:
        """The resource."""
        return self.manifest.resources[self.resource]


def describe(
    item: Usage, left: Leftover | None, owners: Sequence[Owner], record: TableRecord | None
) -> str:
    """Return the name of an item for users.

    Args:
        item: the item.
        left: the meaning of its file name, if it is partial.
        owners: the resources with its checksum; the first gives the name.
        record: the record of a table.
    """
    if record is not None:
        return _mark(f"{item.name} {record.split}", record.manifest)
    if left is not None:
        return _describe_leftover(item, left, owners)
    dataset, _, layout = item.name.rpartition("/")
    file = _describe_file(owners) or f"file {_cut(item.name)}, of no known dataset"
    if item.kind == "imported":
        subject = f"{dataset}: imported as {layout}" if dataset else file
        return f"{subject}, {place_of(item.path) or 'from files with checksums'}"
    names = {
        "raw": file,
        "synthetic": f"manifest of synthetic {dataset}",
        "other": f"{item.name}, not made by dshub",
    }
    return names.get(item.kind, item.name)


def _describe_leftover(item: Usage, left: Leftover, owners: Sequence[Owner]) -> str:
    if left.sort in _TEMPORARY:
        return _TEMPORARY[left.sort]
    file = _describe_file(owners)
    if left.sort == "damaged":
        return f"damaged {file or left.of}"
    file = file or f"file {_cut(left.of)}"
    if left.sort == "rejected":
        return f"rejected bytes of {file}"
    return f"download of {file}, {size(item.size)} so far"


class _Note(msgspec.Struct, frozen=True):
    """The part of an import's note that says where the files are."""

    path: str


def place_of(note: Path) -> str:
    """Return where the files of an import are, from its note: `at /data/train.tar`."""
    try:
        path = decode_paths(read_file(note), _Note).path
    except (OSError, ValueError):
        return "with an unreadable note"
    return f"at {path}" if path else ""


def _describe_file(owners: Sequence[Owner]) -> str:
    """Return `fashion-mnist: train-images`, and other datasets with the same file."""
    if not owners:
        return ""
    manifest = owners[0].manifest
    name = _mark(f"{manifest.name}: {owners[0].resource}", manifest)
    others = list(dict.fromkeys(owner.manifest.name for owner in owners))[1:]
    if not others:
        return name
    return f"{name}, shared with {others[0] if len(others) == 1 else f'{len(others)} others'}"


def _mark(name: str, manifest: Manifest) -> str:
    return f"{name} (synthetic)" if manifest.synthetic else name


def _cut(name: str) -> str:
    return f"{name[:12]}…" if len(name) > 13 else name
