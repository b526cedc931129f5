"""`index.json`: its fields, its bytes, and the checks before anything in it is used."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from dshub import _validate as valid
from dshub.cache.files import read_file
from dshub.cache.paths import TABLE_FILE
from dshub.catalog.manifest import Manifest
from dshub.catalog.search import Summary, classes
from dshub.checksums import Digest
from dshub.errors import ChecksumError, ReadError
from dshub.tables.record import TableRecord

NAME = "index.json"
SCHEMA = 1
_DATE = "%Y-%m-%dT%H:%M:%SZ"
LARGEST = 512 << 20  # bytes of an index: far above a mirror of everything
_REWRITE = (
    "remove it and run `dshub mirror` with every dataset that the mirror should list (files that "
    "are there are not fetched again), or use another mirror"
)


class BlobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Checksum (`algorithm:hex`) and size of a file; the size is None if no source states it."""

    digest: valid.Checksum
    size: valid.Size | None = None

    @classmethod
    def of_bytes(cls, data: bytes) -> "BlobFacts":
        """Describe some bytes."""
        return cls(digest=str(Digest.of_bytes(data)), size=len(data))

    @property
    def checksum(self) -> Digest:
        """The checksum."""
        algorithm, _, digits = self.digest.partition(":")
        return Digest("md5" if algorithm == "md5" else "sha256", digits)


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared table: the key of its recipe, and its files including `table.json`."""

    key: valid.TableKey
    files: dict[valid.FileName, BlobFacts]


class Entry(Summary, frozen=True, kw_only=True):
    """One version of a dataset on a mirror: what listings show, and its files.

    Attributes:
        prepared_size: bytes of its tables; see `Manifest.prepared_size`.
        redistribution: whether its license allows redistribution.
        classes: class names, for searching.
        rows_digest: `Manifest.digest`, the same for two manifests that give the same rows.
        manifest: its manifest, which is stored among the blobs.
        files: its upstream files.
        tables: the prepared tables that the mirror has, by split.
    """

    prepared_size: valid.Count
    redistribution: Literal["yes", "no", "unknown"]
    classes: tuple[valid.Text, ...] = ()
    rows_digest: valid.Sha256
    manifest: BlobFacts
    files: tuple[BlobFacts, ...]
    tables: dict[valid.Key, TableFacts] = msgspec.field(default_factory=dict)

    @property
    def identifier(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def registry_path(self) -> str:
        """The path of its manifest under its name."""
        return f"registry/{self.name}/{self.version}.toml"


def entry_of(manifest: Manifest, text: bytes, tables: dict[str, TableFacts]) -> Entry:
    """Describe a manifest whose file has the bytes `text`."""
    files = {
        str(item.digest): BlobFacts(digest=str(item.digest), size=item.size)
        for item in manifest.split_resources().values()
    }
    return Entry(
        **msgspec.structs.asdict(Summary.of(manifest)),
        prepared_size=min(manifest.prepared_size(), valid.LARGEST - 1),
        redistribution=manifest.license.redistribution,
        classes=tuple(dict.fromkeys(classes(manifest))),
        rows_digest=manifest.digest,
        manifest=BlobFacts.of_bytes(text),
        files=tuple(files.values()),
        tables=tables,
    )


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file; `datasets` stays as written, for its checksum."""

    schema: int
    sha256: valid.Sha256
    serial: valid.Size | None = None
    date: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    signatures: tuple[valid.Text, ...] = ()
    datasets: msgspec.Raw

    def __post_init__(self) -> None:
        if (self.serial is None) != (self.date is None):
            raise ValueError("it has a serial number without a date, or the reverse")
        if self.date is not None and self.date.utcoffset():
            raise ValueError("its date is not in UTC")


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The datasets of a mirror.

    Attributes:
        datasets: sorted by name and version.
        signatures: of `signed_bytes`, in base64.
        body: the bytes of the JSON value of `datasets`.
        serial: of a signed index, higher than that of the one before; 0 if unsigned.
        date: when a signed index was signed; None if unsigned.
    """

    datasets: tuple[Entry, ...]
    signatures: tuple[str, ...]
    body: bytes
    serial: int = 0
    date: datetime | None = None

    @property
    def signed_bytes(self) -> bytes:
        """The message of a signature: a line with serial and date, and `body`.

        An older dshub signed indexes without serial and date; their line is `dshub index 1`.
        """
        if self.date is None:
            return b"dshub index 1\n" + self.body
        return f"dshub index 2 {self.serial} {self.date:{_DATE}}\n".encode() + self.body

    @property
    def signed(self) -> str:
        """`serial 7, signed on 2026-01-31`; empty without serial and date."""
        return f"serial {self.serial}, signed on {self.date:%Y-%m-%d}" if self.date else ""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Index":
        """Make an unsigned index; the same entries always give the same bytes."""
        ordered = sorted(entries, key=lambda entry: (entry.name, entry.version))
        lines = [msgspec.json.encode(entry) for entry in ordered]
        body = b"[\n" + b",\n".join(lines) + b"\n]" if lines else b"[]"
        return cls(datasets=tuple(ordered), signatures=(), body=body)

    @classmethod
    def read(cls, data: bytes, *, source: str) -> "Index":
        """Parse and check an index; `source` names it in errors.

        Raises:
            ChecksumError: the bytes of its datasets have changed.
            ReadError: it is not an index, or has a newer schema.
        """
        try:
            data.decode()  # msgspec does not check fields that it does not know
            file = valid.decode(data, _File)
            _check_file(file, source)
            entries = valid.decode(file.datasets, tuple[Entry, ...])
            _check_entries(entries)
        except ValueError as error:
            reason = f"it is not the index of a mirror: {error}"
            raise ReadError(file=source, reason=reason, hint=_REWRITE) from error
        return cls(
            datasets=entries,
            signatures=file.signatures,
            body=bytes(file.datasets),
            serial=file.serial or 0,
            date=file.date,
        )

    def encode(self) -> bytes:
        """The bytes of `index.json`."""
        sha256 = hashlib.sha256(self.body).hexdigest()
        head: dict[str, object] = {"schema": SCHEMA, "sha256": sha256}
        if self.date is not None:
            head |= {"serial": self.serial, "date": f"{self.date:{_DATE}}"}
        head["signatures"] = self.signatures
        return msgspec.json.encode(head)[:-1] + b',"datasets":' + self.body + b"}\n"


def _check_file(file: _File, source: str) -> None:
    if file.schema != SCHEMA:
        reason = f"it has schema {file.schema}, and this dshub reads {SCHEMA}"
        raise ReadError(file=source, reason=reason, hint="use a newer dshub")
    actual = hashlib.sha256(file.datasets).hexdigest()
    if actual != file.sha256:
        raise ChecksumError(
            source=source,
            expected=f"sha256:{file.sha256}",
            actual=f"sha256:{actual}",
            diagnosis="its bytes have changed since it was written",
            hint=_REWRITE,
        )


def _check_entries(entries: Sequence[Entry]) -> None:
    """Raise ValueError if an entry is listed twice, or a manifest or table has no SHA-256."""
    seen: set[str] = set()
    for entry in entries:
        files = [facts for table in entry.tables.values() for facts in table.files.values()]
        if any(facts.checksum.algorithm != "sha256" for facts in (entry.manifest, *files)):
            raise ValueError(f"{entry.identifier}: manifests and tables need a sha256")
        if entry.identifier in seen:
            raise ValueError(f"{entry.identifier} is listed twice")
        seen.add(entry.identifier)


def table_facts(folder: Path) -> TableFacts:
    """Describe a prepared table by its `table.json`.

    Raises:
        StoreError: `table.json` cannot be read.
    """
    path = folder / TABLE_FILE
    files = shard_facts(TableRecord.read(path))
    files[TABLE_FILE] = BlobFacts.of_bytes(read_file(path))
    return TableFacts(key=folder.name, files=files)


def shard_facts(record: TableRecord) -> dict[str, BlobFacts]:
    """Describe the shards of a table."""
    return {
        item.file: BlobFacts(digest=f"sha256:{item.sha256}", size=item.size)
        for item in record.shards
    }
