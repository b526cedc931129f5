"""Reading a mirror again, every byte of it, without any network."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from dshub.digest import CHUNK, Digest
from dshub.display import without_secrets
from dshub.errors import ChecksumError, ReadError, StoreError
from dshub.index import BlobFacts, Index, check_signature
from dshub.index.model import NAME
from dshub.mirror.destinations import Destination
from dshub.store import blob_path, table_path
from dshub.store.layout import blob_digest, is_ours

State = Literal["ok", "missing", "damaged", "other"]


@dataclass(frozen=True)
class Checked:
    """What was found of one file of a mirror.

    Attributes:
        name: where it lies.
        state: `ok`; `missing` where the index names it and it is not there; `damaged` where its
            bytes are not those of its checksum; `other` of a file that dshub did not make.
        detail: the fact behind the state.
        of: a dataset that needs it; empty where none does.
    """

    name: str
    state: State
    detail: str = ""
    of: str = ""


def read_index(place: Destination) -> Index | None:
    """The index of a mirror; None where it has none.

    Raises:
        ReadError, ChecksumError: it is damaged, or of a later schema.
        StoreError: it cannot be read.
    """
    try:
        with place.open(NAME) as file:
            return Index.read(file.read(), source=f"{place.title}/{NAME}")
    except FileNotFoundError:
        return None


def needed(index: Index) -> dict[str, tuple[BlobFacts, str]]:
    """The bytes of every file that an index needs, and a dataset that it belongs to."""
    found: dict[str, tuple[BlobFacts, str]] = {}
    for entry in index.datasets:
        name = entry.identifier
        for facts in (*entry.files, entry.manifest):
            found[blob_path(facts.checksum).as_posix()] = facts, name
        for table in entry.tables.values():
            folder = table_path(entry.name, table.key)
            for file, facts in table.files.items():
                found[(folder / file).as_posix()] = facts, name
        found[entry.registry_path] = entry.manifest, name
    return found


def verify(
    place: Destination, *, keys: Sequence[Path] = (), advance: Callable[[int], object] = int
) -> Iterator[Checked]:
    """Read everything in a mirror again, and compare it with its checksum.

    Looked at are the files that the index names, and all others that are named by a checksum;
    files that dshub did not make are named.
    What is damaged is moved to `partial-v1`, so that the next update brings it again; where that
    is not allowed, it stays, and the detail says so.

    Args:
        place: the mirror.
        keys: public keys, one of which must have signed the index.
        advance: is told the bytes as they are read.

    Raises:
        StoreError: something may not be read.
    """
    index = None
    try:
        index = read_index(place)
        if index is not None:
            check_signature(index, keys, source=f"{place.title}/{NAME}")
    except (ReadError, ChecksumError) as error:
        yield Checked(NAME, "damaged", str(error))
    else:
        detail = index.signed if index else "there is no index"
        yield Checked(NAME, "ok" if index else "missing", detail)
    wanted = needed(index) if index is not None else {}
    for name in place.names():
        digest = blob_digest(PurePosixPath(name))
        if name not in wanted and digest is not None:
            wanted[name] = BlobFacts(digest=str(digest)), ""
        elif name not in wanted and not is_ours(PurePosixPath(name)):
            yield Checked(name, "other", "not made by dshub")
    for name, (facts, dataset) in sorted(wanted.items()):
        yield _check(place, name, facts, dataset, advance)


def _check(
    place: Destination, name: str, facts: BlobFacts, dataset: str, advance: Callable[[int], object]
) -> Checked:
    try:
        actual = _read(place, name, facts.checksum, advance)
    except FileNotFoundError:
        return Checked(name, "missing", "it is gone", dataset)
    if actual == facts.checksum:
        return Checked(name, "ok", "", dataset)
    try:
        told = f"put aside as {place.set_aside(name)}"
    except StoreError as error:
        told = f"it stays, for one {error}"
    return Checked(name, "damaged", f"got {actual.short}; {told}", dataset)


def _read(
    place: Destination, name: str, expected: Digest, advance: Callable[[int], object]
) -> Digest:
    hasher = hashlib.new(expected.algorithm)
    with place.open(name) as file:
        try:
            while piece := file.read(CHUNK):
                hasher.update(piece)
                advance(len(piece))
        except OSError as error:
            reason = without_secrets(f"{name}: {error.strerror or error}", place.address)
            raise StoreError(path=place.title, action="read", reason=reason) from error
    return Digest(expected.algorithm, hasher.hexdigest())
