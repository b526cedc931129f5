"""What the things in a cache are called when a person reads of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import msgspec

from dshub.files import read_file
from dshub.housekeeping.known import Owner
from dshub.manifest import Manifest
from dshub.progress import size
from dshub.store import Leftover, Usage
from dshub.store.entries import Sort
from dshub.store.records import TableRecord
from dshub.untrusted import decode_paths


class _Note(msgspec.Struct, frozen=True):
    """The part of a note of an import that says where the files lie."""

    path: str


def words(
    item: Usage, left: Leftover | None, owners: Sequence[Owner], label: TableRecord | None
) -> str:
    """What a thing is.

    Args:
        item: the thing.
        left: what its name tells, where it is partial.
        owners: the resources with its checksum, the one to name it by first.
        label: what a table says of itself.
    """
    match item.kind:
        case "prepared":
            return _marked(f"{item.name} {label.split}", label.manifest) if label else item.name
        case "synthetic":
            return f"manifest of a stand-in of {item.name.rpartition('/')[0]}"
        case "raw":
            return _file(owners) or f"file {_short(item.name)}, of no dataset known here"
        case "imported":
            return _imported(item, owners)
        case "partial":
            return _partial(item, left, owners) if left else item.name
        case "other":
            return f"{item.name}, not made by dshub"
        case _:
            assert_never(item.kind)


def _imported(item: Usage, owners: Sequence[Owner]) -> str:
    """What lies elsewhere, and where."""
    dataset, _, layout = item.name.rpartition("/")
    if dataset:
        return (
            f"{dataset}: imported as {layout}, {place_of(item.path) or 'from files with checksums'}"
        )
    return f"{_file(owners) or f'file {_short(item.name)}'}, {place_of(item.path)}"


def place_of(path: Path) -> str:
    """Where something lies that a note in the cache speaks of: `at /data/train.tar`."""
    try:
        note = decode_paths(read_file(path), _Note)
    except (OSError, ValueError):
        return "of which the note cannot be read"
    return f"at {note.path}" if note.path else ""


_UNDER_WAY: dict[Sort, str] = {
    "table": "a table under way",
    "scratch": "a working folder",
    "text": "a small file under way",
    "removed": "content that is being removed",
}


def _partial(item: Usage, left: Leftover, owners: Sequence[Owner]) -> str:
    if left.sort in _UNDER_WAY:
        return _UNDER_WAY[left.sort]
    if left.sort == "damaged":
        return f"damaged {_file(owners) or left.of}"
    file = _file(owners) or f"file {_short(left.of)}"
    if left.sort == "rejected":
        return f"rejected bytes of {file}"
    return f"download of {file}, {size(item.size)} so far"


def _file(owners: Sequence[Owner]) -> str:
    """`fashion-mnist: train-images`, with the other datasets that have the same file."""
    if not owners:
        return ""
    first = owners[0]
    name = _marked(f"{first.manifest.name}: {first.resource}", first.manifest)
    others = dict.fromkeys(owner.manifest.name for owner in owners)
    others.pop(first.manifest.name)
    if not others:
        return name
    told = next(iter(others)) if len(others) == 1 else f"{len(others)} others"
    return f"{name}, shared with {told}"


def _marked(name: str, manifest: Manifest) -> str:
    return f"{name} (stand-in)" if manifest.synthetic else name


def _short(name: str) -> str:
    return f"{name[:12]}…" if len(name) > 13 else name
