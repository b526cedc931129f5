"""Read mirrors as a client: their indexes, manifests by checksum, prepared tables.

An index is fetched once per process, and kept in the cache with its entity tag. The kept one is
used offline and while a mirror cannot be reached. Indexes of folders are always read again.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from dshub._validate import Count, decode
from dshub.cache.disk import remove
from dshub.cache.files import read_file
from dshub.cache.paths import TABLE_FILE, manifest_path, mirror_path, table_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.display import Address, shown_url
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.download.transports import Transports
from dshub.errors import ChecksumError, DshubError, ReadError, StoreError, TransportError
from dshub.mirrors.index import LARGEST, NAME, Entry, Index, TableFacts, shard_facts
from dshub.mirrors.signing import check_signature
from dshub.progress import Progress, Silent
from dshub.settings import Settings
from dshub.tables.record import TableRecord

TIMEOUT = 10.0  # seconds at most to wait for an index: fetching works without it
PIECE = 1 << 20  # bytes read at a time

_log = logging.getLogger("dshub")


@dataclass(frozen=True)
class Listed:
    """A version of a dataset in the index of a mirror.

    Attributes:
        entry: its entry.
        mirror: the address of the mirror.
    """

    entry: Entry
    mirror: str


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An index in the cache. The address is left out, because it may contain a password.

    Attributes:
        etag: its entity tag.
        index: its bytes; empty for a folder, which is always read again.
        serial: the highest serial of this mirror that was signed by a key of the user.
    """

    etag: str = ""
    index: str = ""
    serial: Count = 0


class Mirrors:
    """The mirrors in the settings, in order.

    Args:
        settings: mirrors, keys, and connection settings.
        store: keeps indexes, manifests and tables.
        progress: shows progress.

    Attributes:
        errors: why an index could not be read or used, by the mirror's address.
        bare: addresses of mirrors without an index, such as a served cache.
    """

    def __init__(
        self, settings: Settings, store: Store, *, progress: Progress | None = None
    ) -> None:
        self.settings, self.store = settings, store
        self.progress = progress or Silent()
        self.errors: dict[str, DshubError] = {}
        self.bare: set[str] = set()

    def listed(self, *, ask: bool = True) -> list[Listed]:
        """List everything that the mirrors hold, in the order of the mirrors.

        Args:
            ask: False to use only kept indexes of mirrors that are not on this machine.
        """
        return self._asked if ask else self._list(self._index_at_hand)

    @cached_property
    def _asked(self) -> list[Listed]:
        return self._list(self._index)

    def _list(self, index_of: Callable[[str], Index | None]) -> list[Listed]:
        indexes = [(address, index_of(address)) for address in self.settings.mirrors]
        return [
            Listed(entry, address)
            for address, index in indexes
            if index
            for entry in index.datasets
        ]

    def _index(self, address: str) -> Index | None:
        try:
            return self._fetch_index(address)
        except DshubError as error:
            if isinstance(error, TransportError) and error.absent:
                self.bare.add(address)
                return None
            _log.info("%s", error)
            self.errors[address] = error
            return self._kept_index(address)

    def _index_at_hand(self, address: str) -> Index | None:
        return self._index(address) if Address(address).is_local else self._kept_index(address)

    def _fetch_index(self, address: str) -> Index | None:
        """Read the current index of a mirror; offline, the kept one.

        Raises:
            TransportError: the mirror cannot be reached, or has no index.
            ReadError, ChecksumError: its index is damaged, not signed, or outdated.
        """
        place = Address(address)
        if self.settings.offline and not place.is_local:
            return self._kept_index(address)
        if place.is_local and not place.path.is_dir():
            raise TransportError(url=address, reason="there is no such folder")
        url = place.join(NAME)
        kept, index = self._kept(address), self._kept_index(address)
        with closing(Transports(timeout=min(self.settings.timeout, TIMEOUT))) as transports:
            answer = _get(transports, url, kept.etag if index else "")
        if answer is not None:
            index = self._verified(answer[0], url)
        if index is not None and self.settings.mirror_keys:
            self._check_current(index, address, kept.serial)
        if index is not None and answer is not None:
            self._keep(address, kept, *answer, index)
        return index

    def _check_current(self, index: Index, address: str, seen: int) -> None:
        """Refuse a signed index that is older than one seen before, or too old.

        Raises:
            ChecksumError: it may be a replayed old index.
        """
        url, actual = Address(address).join(NAME), index.signed or "no serial"
        if index.serial < seen:
            path = self.store.root / mirror_path(_key(address))
            raise ChecksumError(
                source=url,
                expected=f"serial {seen}, which was here before, or a later one",
                actual=actual,
                hint="it may be a replayed old index; if the mirror was reset on purpose, "
                f"ask its maintainer to sign it again, or remove {path} to accept it as it is",
            )
        days = self.settings.mirror_max_age
        if Address(address).is_local or days is None or index.date is None:
            return
        if datetime.now(UTC) - index.date > timedelta(days=days):
            raise ChecksumError(
                source=url,
                expected=f"an index signed in the last {days:,} days (DSHUB_MIRROR_MAX_AGE)",
                actual=actual,
                hint="ask the maintainer of the mirror to sign it again with `dshub mirror DEST "
                "NAME… --sign KEY`; to accept it as it is, raise DSHUB_MIRROR_MAX_AGE or set it "
                "to off",
            )

    def _verified(self, data: bytes, url: str) -> Index:
        index = Index.read(data, source=shown_url(url))
        check_signature(index, self.settings.mirror_keys, source=shown_url(url))
        return index

    def _kept(self, address: str) -> _Kept:
        path = self.store.find(mirror_path(_key(address)))
        with suppress(OSError, ValueError):
            return decode(read_file(path), _Kept) if path else _Kept()
        return _Kept()

    def _kept_index(self, address: str) -> Index | None:
        with suppress(ReadError, ChecksumError):  # of another dshub, or not signed by a new key
            return self._verified(self._kept(address).index.encode(), address)
        return None

    def _keep(self, address: str, old: _Kept, data: bytes, etag: str, index: Index) -> None:
        serial = max(old.serial, index.serial if self.settings.mirror_keys else 0)
        kept = _Kept(serial=serial)
        if not Address(address).is_local:
            kept = _Kept(etag=etag, index=data.decode(), serial=serial)
        if kept != old:
            with suppress(StoreError):  # in a read-only cache nothing is kept
                self.store.write_text(mirror_path(_key(address)), msgspec.json.encode(kept))

    def manifest_at_hand(self, entry: Entry) -> bytes | None:
        """Read a manifest from the cache or a folder; None if it has to be fetched."""
        digest, size = entry.manifest.checksum, entry.manifest.size
        folders = [mirror.path for mirror in map(Address, self.settings.mirrors) if mirror.is_local]
        paths = [self.store.find(manifest_path(digest))]
        paths += [Store(folder).blob(digest, size) for folder in folders]
        for path in filter(None, paths):
            with suppress(OSError):
                data = read_file(path)
                if Digest.of_bytes(data) == digest:
                    return data
        return None

    def manifest(self, entry: Entry) -> bytes:
        """Read or fetch a manifest by its checksum.

        Raises:
            FetchError: no mirror has it.
            ChecksumError: another user put other bytes into the cache.
            StoreError: the cache cannot be written.
        """
        data = self.manifest_at_hand(entry)
        if data is not None:
            return data
        checksum = entry.manifest.checksum
        resource = Resource(
            filename=f"{entry.version}.toml", sha256=checksum.hex, size=entry.manifest.size
        )
        fetcher = Fetcher.from_settings(self.store, self.settings)
        [fetched] = fetcher.fetch([Job(entry.name, "manifest", resource)])
        fetcher.check([fetched])
        data = fetched.path.read_bytes()
        if fetched.path.is_relative_to(self.store.root):  # keep it where no eviction removes it
            self.store.write_text(manifest_path(checksum), data)
            remove(self.store.root, fetched.path)
        return data

    def take_table(self, entry: Entry, split: str, key: str, recipe: Any) -> bool:
        """Put the table of a split into the cache, if a mirror has it.

        Its files must have the checksums of the index, and its recipe must be the expected one.
        Whether the index is trusted is up to the caller.

        Args:
            entry: lists the table.
            split: of the dataset.
            key: of the recipe.
            recipe: what `table.json` must say about how the table was made.

        Raises:
            StoreError: the cache cannot be written.
        """
        facts = entry.tables.get(split)
        if facts is None or facts.key != key or TABLE_FILE not in facts.files:
            return False
        title = f"{entry.name} {split}"
        jobs = [Job(title, name, self._table_file(entry, facts, name)) for name in facts.files]
        # without mirrors, which have these files under their own names
        options = {"mirrors": (), "progress": self.progress}
        fetcher = Fetcher.from_settings(self.store, self.settings, **options)
        try:
            fetched = fetcher.fetch(jobs)
            fetcher.check(fetched)
        except DshubError as error:  # the table is prepared from its files instead
            self.progress.say(f"{title}: no table from a mirror ({error})")
            return False
        paths = {item.job.name: item.path for item in fetched}
        if not _is_table_of(paths[TABLE_FILE], facts, (entry.name, split, recipe)):
            self.progress.say(f"{title}: the mirror's table was made in another way; not used")
            for path in set(paths.values()):
                remove(self.store.root, path)
            return False
        fetched_now = {item.path for item in fetched if item.source != "cache"}
        with self.store.new_table(entry.name, key) as folder:
            moved: dict[Path, Path] = {}
            for name, path in paths.items():
                if path in fetched_now and path not in moved:
                    moved[path] = path.replace(folder / name)
                else:  # shards with the same bytes; a file of a site cache or of the user
                    shutil.copyfile(moved.get(path, path), folder / name)
        return True

    def _table_file(self, entry: Entry, facts: TableFacts, name: str) -> Resource:
        relative = (table_path(entry.name, facts.key) / name).as_posix()
        return Resource(
            urls=tuple(Address(address).join(relative) for address in self.settings.mirrors),
            filename=name,
            sha256=facts.files[name].checksum.hex,
            size=facts.files[name].size,
        )


def _is_table_of(path: Path, facts: TableFacts, expected: tuple[str, str, Any]) -> bool:
    """Whether a `table.json` has the expected name, split and recipe, and the indexed files."""
    try:
        record = TableRecord.read(path)
    except StoreError:
        return False
    shards = {name: item for name, item in facts.files.items() if name != TABLE_FILE}
    return (record.name, record.split, record.recipe) == expected and shard_facts(record) == shards


def _key(address: str) -> str:
    return hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:32]


def _get(transports: Transports, url: str, etag: str) -> tuple[bytes, str] | None:
    """Fetch an index and its entity tag, with one retry; None if it still has the given tag.

    Raises:
        TransportError: the mirror cannot be reached.
        ReadError: the index is too large.
    """
    try:
        return _get_once(transports, url, etag)
    except TransportError as error:
        if not error.transient or error.unreachable:
            raise
    return _get_once(transports, url, etag)


def _get_once(transports: Transports, url: str, etag: str) -> tuple[bytes, str] | None:
    with transports.of(url).open(url) as answer:
        if etag and answer.etag == etag:
            return None
        if answer.encoding:
            reason = f"it sends its index encoded as {answer.encoding}, unasked"
            raise TransportError(url=url, reason=reason)
        data, buffer = bytearray(), memoryview(bytearray(PIECE))
        while count := answer.readinto(buffer):
            data += buffer[:count]
            if len(data) > LARGEST:
                raise ReadError(file=shown_url(url), reason="it is too large for an index")
        if answer.total not in {None, len(data)}:
            reason = f"it ended after {len(data):,} of {answer.total:,} bytes"
            raise TransportError(url=url, reason=reason, transient=True)
        return bytes(data), answer.etag
