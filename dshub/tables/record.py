"""Read and write `table.json`, the record of a table, without Arrow."""

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
    """An Arrow file of a table: its name, number of rows, size in bytes and checksum."""

    file: FileName
    rows: Count
    size: Size
    sha256: Sha256


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The source files of a table, if upstream does not publish their checksums.

    Attributes:
        layout, title: name and title of the files' layout in the manifest.
        path: folder or archive that contained the files.
        files: number of files.
        size: total size of the files in bytes.
        sums: SHA-256 of `files.sha256` in the table's folder, which lists the SHA-256 of each
            file at the time of reading, in the format of `sha256sum`.
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
        recipe: inputs that determine the table's bytes: checksums of the files, features, reader
            and revision.
        manifest: manifest from which the table was prepared.
        provenance: source files, if they have no upstream checksums.
    """

    schema: Literal[1] = 1
    name: Name
    version: Version
    split: Key
    rows: Count
    recipe: dict[str, Any]  # only used for comparison
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
        """Read a record; raise StoreError if it cannot be read or contradicts itself."""
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
        raise ValueError("its manifest is for a different dataset or version")
    if record.split not in record.manifest.splits:
        raise ValueError(f"its manifest has no split {record.split}")
    if len({shard.file for shard in record.shards}) != len(record.shards):
        raise ValueError("it lists a shard twice")
    rows = sum(shard.rows for shard in record.shards)
    if rows != record.rows:
        raise ValueError(f"its shards have {rows:,} rows, not {record.rows:,}")
