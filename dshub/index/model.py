"""`index.json`: its fields, its bytes, and what is checked of them before anything is believed."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dshub.digest import Digest
from dshub.errors import ChecksumError, ReadError, StoreError
from dshub.files import read_file
from dshub.manifest import Manifest
from dshub.registry import Summary, classes
from dshub.store.layout import TABLE_FILE

NAME = "index.json"
SCHEMA = 1
_ANEW = (
    "remove it and run `dshub mirror` with all that the mirror is to list, or use another mirror: "
    "its files are verified one by one, and of use all the same"
)
LARGEST = 512 << 20  # bytes of an index: far above a mirror of everything, far below trouble


class BlobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Which bytes a file is: `algorithm:hex`, and how many; None where no source states it."""

    digest: str
    size: int | None = None

    @classmethod
    def of_bytes(cls, data: bytes) -> "BlobFacts":
        """The facts of some bytes."""
        return cls(digest=str(Digest.of_bytes(data)), size=len(data))

    @property
    def checksum(self) -> Digest:
        """The checksum; raises ValueError where it is none."""
        algorithm, _, digits = self.digest.partition(":")
        return Digest("md5" if algorithm == "md5" else "sha256", digits)


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared table: the key of its recipe, and each of its files, `table.json` included."""

    key: str
    files: dict[str, BlobFacts]


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

    prepared_size: int
    redistribution: str
    classes: tuple[str, ...] = ()
    rows_digest: str
    manifest: BlobFacts
    files: tuple[BlobFacts, ...]
    tables: dict[str, TableFacts] = msgspec.field(default_factory=dict)

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
        prepared_size=manifest.prepared_size(),
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
    sha256: str
    signatures: tuple[str, ...] = ()
    datasets: msgspec.Raw


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What a mirror holds.

    Attributes:
        datasets: sorted by name and version.
        signatures: of `body`, in base64.
        body: the bytes that stand behind `datasets`.
    """

    datasets: tuple[Entry, ...]
    signatures: tuple[str, ...]
    body: bytes

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
            found = msgspec.json.decode(data, type=_File)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
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
            entries = msgspec.json.decode(body, type=tuple[Entry, ...])
            _check(entries)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise _no_index(source, error) from error
        return cls(datasets=entries, signatures=found.signatures, body=body)

    def encode(self) -> bytes:
        """The bytes of `index.json`."""
        head = {
            "schema": SCHEMA,
            "sha256": hashlib.sha256(self.body).hexdigest(),
            "signatures": self.signatures,
        }
        return msgspec.json.encode(head)[:-1] + b',"datasets":' + self.body + b"}\n"


def _no_index(source: str, error: Exception) -> ReadError:
    return ReadError(file=source, reason=f"it is no index of a mirror: {error}", hint=_ANEW)


def _check(entries: Sequence[Entry]) -> None:
    """Raise ValueError where an entry could lead out of the mirror, or names no checksum."""
    for entry in entries:
        tables = entry.tables.values()
        files = [facts for table in tables for facts in table.files.values()]
        for facts in (entry.manifest, *entry.files, *files):
            _ = facts.checksum
        names = [name for table in tables for name in (table.key, *table.files)]
        for part in (*entry.name.split("/"), entry.version, *names):
            if part in {"", ".", ".."} or not part.isprintable() or set(part) & set('/\\:*?"<>|'):
                raise ValueError(f"{part!r} is no name of a dataset or a file")


class _Shard(msgspec.Struct, frozen=True):
    file: str
    size: int
    sha256: str


class TableLabel(msgspec.Struct, frozen=True):
    """The part of a `table.json` that names its files and its recipe; reading it needs no Arrow."""

    name: str
    split: str
    recipe: dict[str, Any]  # compared as a whole
    shards: tuple[_Shard, ...]

    @classmethod
    def read(cls, path: Path) -> "TableLabel":
        """The label in a file; raises StoreError where it cannot be understood."""
        try:
            return msgspec.json.decode(read_file(path), type=cls)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StoreError(path=str(path), action="read", reason=str(error)) from error


def table_facts(folder: Path) -> TableFacts:
    """The facts of a prepared table, as its `table.json` tells them.

    Raises:
        StoreError: `table.json` cannot be read.
    """
    record = folder / TABLE_FILE
    shards = TableLabel.read(record).shards
    files = {
        item.file: BlobFacts(digest=f"sha256:{item.sha256}", size=item.size) for item in shards
    }
    return TableFacts(
        key=folder.name, files=files | {TABLE_FILE: BlobFacts.of_bytes(read_file(record))}
    )
