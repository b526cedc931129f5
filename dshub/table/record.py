"""What `table.json` says."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from dshub.errors import StoreError
from dshub.files import read_file, replace_file
from dshub.manifest import Manifest
from dshub.store.owners import own_name

NAME = "table.json"
SUMS = "files.sha256"


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One Arrow file: its name in the folder, rows, bytes and checksum."""

    file: str
    rows: int
    size: int
    sha256: str


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Files without checksums of upstream's, of which a table was made.

    Attributes:
        layout, title: the manifest's layout that they had.
        path: the folder or archive in which they were.
        files: how many.
        size: bytes of them.
        sums: SHA-256 of `files.sha256` beside this record, which holds the SHA-256 of each file
            as it was read, in the form of `sha256sum`.
    """

    layout: str
    title: str
    path: str
    files: int
    size: int
    sums: str


class TableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The table's own description.

    Attributes:
        recipe: what decided the bytes: checksums of the files, features, reader and revision.
        manifest: the manifest it was prepared from, so that a table explains itself.
        provenance: of which files it was made, where upstream's checksums do not tell.
    """

    schema: Literal[1] = 1
    name: str
    version: str
    split: str
    rows: int
    recipe: dict[str, Any]  # a record for people and programs to compare, not to act upon
    shards: tuple[Shard, ...]
    manifest: Manifest
    provenance: Provenance | msgspec.UnsetType = msgspec.UNSET

    def write(self, folder: Path) -> Path:
        """Write `table.json` into a folder, and return its path."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        replace_file(folder / NAME, data, folder / own_name(NAME))
        return folder / NAME

    @classmethod
    def read(cls, folder: Path) -> "TableRecord":
        """The record in a folder; raises StoreError where it cannot be understood."""
        path = folder / NAME
        try:
            return msgspec.json.decode(read_file(path), type=cls)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                path=str(path),
                action="read",
                reason=str(error),
                hint="`dshub cache rm --prepared NAME` drops the table; it is then made anew",
            ) from error
