"""What `table.json` says; reading it needs no Arrow."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from dshub._validate import Count, FileName, Key, Name, Sha256, Size, Version, decode
from dshub.cache.files import read_file, replace_file
from dshub.cache.owners import own_name
from dshub.cache.paths import TABLE_FILE
from dshub.catalog.checks import check_kept
from dshub.catalog.manifest import Manifest
from dshub.errors import StoreError

SUMS = "files.sha256"


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One Arrow file: its name in the folder, rows, bytes and checksum."""

    file: FileName
    rows: Count
    size: Size
    sha256: Sha256


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

    layout: Key
    title: str
    path: str
    files: Count
    size: Count
    sums: Sha256


class TableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The table's own description.

    Attributes:
        recipe: what decided the bytes: checksums of the files, features, reader and revision.
        manifest: the manifest it was prepared from, so that a table explains itself.
        provenance: of which files it was made, where upstream's checksums do not tell.
    """

    schema: Literal[1] = 1
    name: Name
    version: Version
    split: Key
    rows: Count
    recipe: dict[str, Any]  # a record for people and programs to compare, not to act upon
    shards: tuple[Shard, ...]
    manifest: Manifest
    provenance: Provenance | msgspec.UnsetType = msgspec.UNSET

    def write(self, folder: Path) -> Path:
        """Write `table.json` into a folder, and return its path."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        replace_file(folder / TABLE_FILE, data, folder / own_name(TABLE_FILE))
        return folder / TABLE_FILE

    @classmethod
    def read(cls, path: Path) -> "TableRecord":
        """The record in a file; raises StoreError where it makes no sense."""
        try:
            record = decode(read_file(path), cls)
            _check(record)
        except (OSError, ValueError) as error:
            raise StoreError(
                path=str(path),
                action="read",
                reason=str(error),
                hint="`dshub cache rm --prepared NAME` drops the table; it is then made anew",
            ) from error
        return record


def _check(record: TableRecord) -> None:
    """Raise ValueError where fields contradict each other."""
    for fault in check_kept(record.manifest):
        raise ValueError(f"manifest: {fault}")
    if (record.name, record.version) != (record.manifest.name, record.manifest.version):
        raise ValueError("its manifest is of another dataset")
    if record.split not in record.manifest.splits:
        raise ValueError(f"its manifest has no split {record.split}")
    if len({shard.file for shard in record.shards}) != len(record.shards):
        raise ValueError("it names a shard twice")
    rows = sum(shard.rows for shard in record.shards)
    if rows != record.rows:
        raise ValueError(f"its shards have {rows:,} rows, and it says {record.rows:,}")
