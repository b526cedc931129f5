"""`table.json`, the record of a table; reading it needs no Arrow."""

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
    """One Arrow file: name in the folder, rows, bytes and checksum."""

    file: FileName
    rows: Count
    size: Size
    sha256: Sha256


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The files from which a table was made, if upstream publishes no checksums of them.

    Attributes:
        layout, title: their layout in the manifest.
        path: the folder or archive that contained them.
        files: their number.
        size: their bytes.
        sums: SHA-256 of `files.sha256` in the same folder, which lists the SHA-256 of each file
            as it was read, in the format of `sha256sum`.
    """

    layout: Key
    title: str
    path: str
    files: Count
    size: Count
    sums: Sha256


class TableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a table.

    Attributes:
        recipe: what decided its bytes: checksums of the files, features, reader and revision.
        manifest: the manifest it was prepared from.
        provenance: the files it was made from, if they have no upstream checksums.
    """

    schema: Literal[1] = 1
    name: Name
    version: Version
    split: Key
    rows: Count
    recipe: dict[str, Any]  # only compared, never acted upon
    shards: tuple[Shard, ...]
    manifest: Manifest
    provenance: Provenance | msgspec.UnsetType = msgspec.UNSET

    def write(self, folder: Path) -> Path:
        """Write `table.json` into a folder and return its path."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        replace_file(folder / TABLE_FILE, data, folder / own_name(TABLE_FILE))
        return folder / TABLE_FILE

    @classmethod
    def read(cls, path: Path) -> "TableRecord":
        """Read a record; raises StoreError if it cannot be read or contradicts itself."""
        try:
            record = decode(read_file(path), cls)
            _check(record)
        except (OSError, ValueError) as error:
            raise StoreError(
                path=str(path),
                action="read",
                reason=str(error),
                hint="run `dshub cache rm --prepared NAME`, then `dshub prepare NAME`",
            ) from error
        return record


def _check(record: TableRecord) -> None:
    """Raise ValueError if fields contradict each other."""
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
