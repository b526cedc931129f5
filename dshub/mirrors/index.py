"""`index.json`: its fields, its bytes, and what is checked of them before anything is believed."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from dshub._validate import LARGEST as LARGEST_NUMBER
from dshub._validate import (
    Checksum,
    Count,
    FileName,
    Key,
    Name,
    Sha256,
    Size,
    TableKey,
    Text,
    Version,
    decode,
)
from dshub.cache.files import read_file
from dshub.cache.paths import TABLE_FILE
from dshub.catalog.manifest import Manifest
from dshub.catalog.search import Summary, classes
from dshub.checksums import Digest
from dshub.errors import ChecksumError, ReadError
from dshub.tables.record import TableRecord

NAME = "index.json"
SCHEMA = 1
_ANEW = (
    "remove it and run `dshub mirror` with all that the mirror is to list, or use another mirror: "
    "its files are verified one by one, and of use all the same"
)
LARGEST = 512 << 20  # bytes of an index: far above a mirror of everything, far below trouble


class BlobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Which bytes a file is: `algorithm:hex`, and how many; None where no source states it."""

    digest: Checksum
    size: Size | None = None

    @classmethod
    def of_bytes(cls, data: bytes) -> "BlobFacts":
        """The facts of some bytes."""
        return cls(digest=str(Digest.of_bytes(data)), size=len(data))

    @property
    def checksum(self) -> Digest:
        """The checksum."""
        algorithm, _, digits = self.digest.partition(":")
        return Digest("md5" if algorithm == "md5" else "sha256", digits)


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared table: the key of its recipe, and each of its files, `table.json` included."""

    key: TableKey
    files: dict[FileName, BlobFacts]


class Entry(Summary, frozen=True, kw_only=True):
    """One version of a dataset on a mirror: all that listings need, and where to go on.

    Attributes:
        prepared_size: bytes that its tables take, as `Manifest.prepared_size` says.
        redistribution: whether its licence allows to pass the files on.
        classes: names of its classes, so that a search finds them.
        rows_digest: `Manifest.digest`: the same for two manifests that give the same rows.
        manifest: the bytes of its manifest, which lie among the blobs.
        files: its upstream files.
        tables: the prepared table of each split that the mirror has.
    """

    name: Name  # checked, as everything in an index
    version: Version
    title: Text
    summary: Text
    task: Text
    tags: tuple[Text, ...]
    rows: dict[Key, Count]
    size: Size | None
    license: Text | None
    prepared_size: Count
    redistribution: Literal["yes", "no", "unknown"]
    classes: tuple[Text, ...] = ()
    rows_digest: Sha256
    manifest: BlobFacts
    files: tuple[BlobFacts, ...]
    tables: dict[Key, TableFacts] = msgspec.field(default_factory=dict)

    @property
    def identifier(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def registry_path(self) -> str:
        """Where its manifest lies under its name."""
        return f"registry/{self.name}/{self.version}.toml"


def entry_of(manifest: Manifest, text: bytes, tables: dict[str, TableFacts]) -> Entry:
    """The entry of a manifest whose file has the bytes `text`."""
    summary = Summary.of(manifest)
    files = {
        str(item.digest): BlobFacts(digest=str(item.digest), size=item.size)
        for item in manifest.split_resources().values()
    }
    return Entry(
        **{name: getattr(summary, name) for name in summary.__struct_fields__},
        prepared_size=min(manifest.prepared_size(), LARGEST_NUMBER - 1),
        redistribution=manifest.license.redistribution,
        classes=tuple(dict.fromkeys(classes(manifest))),
        rows_digest=manifest.digest,
        manifest=BlobFacts.of_bytes(text),
        files=tuple(files.values()),
        tables=tables,
    )


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """The outermost object; `datasets` stays as it was written, for its checksum."""

    schema: int
    sha256: Sha256
    serial: Size | None = None
    date: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    signatures: tuple[Text, ...] = ()
    datasets: msgspec.Raw

    def __post_init__(self) -> None:
        if (self.serial is None) != (self.date is None):
            raise ValueError("a serial number and a date belong together")
        if self.date is not None and self.date.utcoffset():
            raise ValueError("its date is not in UTC")


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What a mirror holds.

    Attributes:
        datasets: sorted by name and version.
        signatures: of `signed_bytes`, in base64.
        body: the bytes that stand behind `datasets`.
        serial: of a signed index: each is above that of the one before. 0 where it has none.
        date: of a signed index: when it was signed. None where it has none.
    """

    datasets: tuple[Entry, ...]
    signatures: tuple[str, ...]
    body: bytes
    serial: int = 0
    date: datetime | None = None

    @property
    def signed_bytes(self) -> bytes:
        """What a signature is of."""
        if self.date is None:
            return b"dshub index 1\n" + self.body
        return f"dshub index 2 {self.serial} {_text(self.date)}\n".encode() + self.body

    @property
    def signed(self) -> str:
        """`serial 7, signed on 2026-01-31`; empty where it has neither serial nor date."""
        return f"serial {self.serial}, signed on {self.date:%Y-%m-%d}" if self.date else ""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Index":
        """An index of some entries, not signed; the same entries always give the same bytes."""
        ordered = sorted(entries, key=lambda entry: (entry.name, entry.version))
        lines = [msgspec.json.encode(entry) for entry in ordered]
        body = b"[\n" + b",\n".join(lines) + b"\n]" if lines else b"[]"
        return cls(datasets=tuple(ordered), signatures=(), body=body)

    @classmethod
    def read(cls, data: bytes, *, source: str) -> "Index":
        """The index that some bytes are; `source` names it in errors.

        Raises:
            ChecksumError: its bytes are not those that were written.
            ReadError: it is no index, or one of a later schema.
        """
        try:
            data.decode()  # msgspec passes over fields that it does not know
            found = decode(data, _File)
        except ValueError as error:
            raise _no_index(source, error) from error
        if found.schema != SCHEMA:
            reason = f"it has schema {found.schema}, and this dshub reads {SCHEMA}"
            raise ReadError(file=source, reason=reason, hint="use a newer dshub")
        body = bytes(found.datasets)
        actual = hashlib.sha256(body).hexdigest()
        if actual != found.sha256:
            raise ChecksumError(
                source=source,
                expected=f"sha256:{found.sha256}",
                actual=f"sha256:{actual}",
                told="its bytes are not those that were written",
                hint=_ANEW,
            )
        try:
            entries = decode(body, tuple[Entry, ...])
            _check(entries)
        except ValueError as error:
            raise _no_index(source, error) from error
        return cls(
            datasets=entries,
            signatures=found.signatures,
            body=body,
            serial=found.serial or 0,
            date=found.date,
        )

    def encode(self) -> bytes:
        """The bytes of `index.json`."""
        head: dict[str, object] = {
            "schema": SCHEMA,
            "sha256": hashlib.sha256(self.body).hexdigest(),
        }
        if self.date is not None:
            head |= {"serial": self.serial, "date": _text(self.date)}
        head["signatures"] = self.signatures
        return msgspec.json.encode(head)[:-1] + b',"datasets":' + self.body + b"}\n"


def _text(date: datetime) -> str:
    """`2026-01-31T12:00:00Z`."""
    return date.strftime("%Y-%m-%dT%H:%M:%SZ")


def _no_index(source: str, error: Exception) -> ReadError:
    return ReadError(file=source, reason=f"it is no index of a mirror: {error}", hint=_ANEW)


def _check(entries: Sequence[Entry]) -> None:
    """Raise ValueError where entries contradict each other, or a file of ours has no SHA-256."""
    seen: set[str] = set()
    for entry in entries:
        files = [facts for table in entry.tables.values() for facts in table.files.values()]
        if any(facts.checksum.algorithm != "sha256" for facts in (entry.manifest, *files)):
            raise ValueError(f"{entry.identifier}: manifests and tables need a sha256")
        if entry.identifier in seen:
            raise ValueError(f"{entry.identifier} is listed twice")
        seen.add(entry.identifier)


def table_facts(folder: Path) -> TableFacts:
    """The facts of a prepared table, as its `table.json` tells them.

    Raises:
        StoreError: `table.json` cannot be read.
    """
    path = folder / TABLE_FILE
    files = shard_facts(TableRecord.read(path))
    files[TABLE_FILE] = BlobFacts.of_bytes(read_file(path))
    return TableFacts(key=folder.name, files=files)


def shard_facts(record: TableRecord) -> dict[str, BlobFacts]:
    """The facts of each shard of a table."""
    return {
        item.file: BlobFacts(digest=f"sha256:{item.sha256}", size=item.size)
        for item in record.shards
    }
