"""Define, encode, decode and validate `index.json`, the list of datasets in a mirror."""

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
MAX_BYTES = 512 << 20  # far above the index of a mirror with every dataset
_REBUILD_HINT = (
    "remove the index and run `dshub mirror` with every dataset that the mirror should list "
    "(existing files are not fetched again), or use another mirror"
)


class BlobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Checksum (`algorithm:hex`) and size of a file; the size is None if unknown."""

    digest: valid.Checksum
    size: valid.Size | None = None

    @classmethod
    def of_bytes(cls, data: bytes) -> "BlobFacts":
        """Return the checksum and size of `data`."""
        return cls(digest=str(Digest.of_bytes(data)), size=len(data))

    @property
    def checksum(self) -> Digest:
        """Checksum as a `Digest`."""
        algorithm, _, digits = self.digest.partition(":")
        return Digest("md5" if algorithm == "md5" else "sha256", digits)


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Key and files of a prepared table, including `table.json`."""

    key: valid.TableKey
    files: dict[valid.FileName, BlobFacts]


class Entry(Summary, frozen=True, kw_only=True):
    """Index entry of one dataset version.

    Attributes:
        prepared_size: bytes of the prepared tables; see `Manifest.prepared_size`.
        redistribution: whether the license allows redistribution.
        classes: class names, for search.
        rows_digest: `Manifest.digest`, which is equal for manifests that produce the same rows.
        manifest: checksum and size of the manifest, which is stored as a blob.
        files: checksums and sizes of the upstream files.
        tables: prepared tables in the mirror, by split.
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
        """Dataset name and version, as `name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def registry_path(self) -> str:
        """Path of the manifest in the `registry/` folder of the mirror."""
        return f"registry/{self.name}/{self.version}.toml"


def entry_of(manifest: Manifest, text: bytes, tables: dict[str, TableFacts]) -> Entry:
    """Create the index entry of a manifest.

    Args:
        manifest: parsed manifest.
        text: bytes of the manifest file.
        tables: prepared tables in the mirror, by split.
    """
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
    """Fields of `index.json`; `datasets` stays unparsed because its bytes have a checksum."""

    schema: int
    sha256: valid.Sha256
    serial: valid.Size | None = None
    date: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    signatures: tuple[valid.Text, ...] = ()
    datasets: msgspec.Raw

    def __post_init__(self) -> None:
        if (self.serial is None) != (self.date is None):
            raise ValueError("`serial` and `date` must be set together")
        if self.date is not None and self.date.utcoffset():
            raise ValueError("`date` is not in UTC")


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """Index of a mirror.

    Attributes:
        datasets: entries, sorted by name and version.
        signatures: base64 signatures of `signed_bytes`.
        body: JSON bytes of `datasets`.
        serial: number that grows with each signed index; 0 if unsigned.
        date: time of signing; None if unsigned.
    """

    datasets: tuple[Entry, ...]
    signatures: tuple[str, ...]
    body: bytes
    serial: int = 0
    date: datetime | None = None

    @property
    def signed_bytes(self) -> bytes:
        """Bytes that are signed: a line with serial and date, followed by `body`.

        An index signed by an older dshub has no serial and date. Its first line is
        `dshub index 1`.
        """
        if self.date is None:
            return b"dshub index 1\n" + self.body
        return f"dshub index 2 {self.serial} {self.date:{_DATE}}\n".encode() + self.body

    @property
    def signed_label(self) -> str:
        """Text such as `serial 7, signed on 2026-01-31`; empty without a serial and date."""
        return f"serial {self.serial}, signed on {self.date:%Y-%m-%d}" if self.date else ""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Index":
        """Create an unsigned index; equal entries always encode to the same bytes."""
        ordered = sorted(entries, key=lambda entry: (entry.name, entry.version))
        lines = [msgspec.json.encode(entry) for entry in ordered]
        body = b"[\n" + b",\n".join(lines) + b"\n]" if lines else b"[]"
        return cls(datasets=tuple(ordered), signatures=(), body=body)

    @classmethod
    def read(cls, data: bytes, *, source: str) -> "Index":
        """Parse and validate the bytes of an index.

        Args:
            data: contents of `index.json`.
            source: path or URL for error messages.

        Raises:
            ChecksumError: the entries do not match their checksum.
            ReadError: the bytes are not an index, or have a newer schema.
        """
        try:
            data.decode()  # msgspec does not check the encoding of unknown fields
            file = valid.decode(data, _File)
            _check_file(file, source)
            entries = valid.decode(file.datasets, tuple[Entry, ...])
            _check_entries(entries)
        except ValueError as error:
            reason = f"not the index of a mirror: {error}"
            raise ReadError(file=source, reason=reason, hint=_REBUILD_HINT) from error
        return cls(
            datasets=entries,
            signatures=file.signatures,
            body=bytes(file.datasets),
            serial=file.serial or 0,
            date=file.date,
        )

    def encode(self) -> bytes:
        """Return the contents of `index.json`."""
        sha256 = hashlib.sha256(self.body).hexdigest()
        head: dict[str, object] = {"schema": SCHEMA, "sha256": sha256}
        if self.date is not None:
            head |= {"serial": self.serial, "date": f"{self.date:{_DATE}}"}
        head["signatures"] = self.signatures
        return msgspec.json.encode(head)[:-1] + b',"datasets":' + self.body + b"}\n"


def _check_file(file: _File, source: str) -> None:
    if file.schema != SCHEMA:
        reason = f"the index has schema {file.schema}; this version of dshub reads {SCHEMA}"
        raise ReadError(file=source, reason=reason, hint="upgrade dshub")
    actual = hashlib.sha256(file.datasets).hexdigest()
    if actual != file.sha256:
        raise ChecksumError(
            source=source,
            expected=f"sha256:{file.sha256}",
            actual=f"sha256:{actual}",
            diagnosis="the index was changed after it was written",
            hint=_REBUILD_HINT,
        )


def _check_entries(entries: Sequence[Entry]) -> None:
    """Raise ValueError if an entry is listed twice, or a manifest or table has no SHA-256."""
    seen: set[str] = set()
    for entry in entries:
        files = [facts for table in entry.tables.values() for facts in table.files.values()]
        if any(facts.checksum.algorithm != "sha256" for facts in (entry.manifest, *files)):
            raise ValueError(f"{entry.identifier}: manifests and tables need SHA-256 checksums")
        if entry.identifier in seen:
            raise ValueError(f"{entry.identifier} is listed twice")
        seen.add(entry.identifier)


def table_facts(folder: Path) -> TableFacts:
    """Return the key and files of the prepared table in a folder.

    Raises:
        StoreError: `table.json` cannot be read.
    """
    path = folder / TABLE_FILE
    files = shard_facts(TableRecord.read(path))
    files[TABLE_FILE] = BlobFacts.of_bytes(read_file(path))
    return TableFacts(key=folder.name, files=files)


def shard_facts(record: TableRecord) -> dict[str, BlobFacts]:
    """Return the checksum and size of each shard of a table, by file name."""
    return {
        item.file: BlobFacts(digest=f"sha256:{item.sha256}", size=item.size)
        for item in record.shards
    }
