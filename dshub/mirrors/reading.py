"""Read indexes, manifests and prepared tables from mirrors.

An index is fetched once per process and cached with its ETag. The cached index is used offline and
when the mirror is unreachable. The index of a local folder is never cached.
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
from dshub.mirrors.index import MAX_BYTES, NAME, Entry, Index, TableFacts, shard_facts
from dshub.mirrors.signing import check_signature
from dshub.progress import Progress, Silent
from dshub.settings import Settings
from dshub.tables.record import TableRecord

TIMEOUT = 10.0  # seconds; short, because dshub works without the index
CHUNK = 1 << 20  # bytes per read

_log = logging.getLogger("dshub")


@dataclass(frozen=True)
class Listed:
    """Dataset version that a mirror lists.

    Attributes:
        entry: index entry of the version.
        mirror: address of the mirror.
    """

    entry: Entry
    mirror: str


class _CachedIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Cached index of a mirror, without the address, which can contain a password.

    Attributes:
        etag: ETag of the index.
        index: contents of `index.json`; empty for a mirror in a local folder.
        serial: highest serial of the mirror that was signed by one of the user's keys.
    """

    etag: str = ""
    index: str = ""
    serial: Count = 0


class Mirrors:
    """Mirrors from the settings, in order.

    Args:
        settings: mirrors, keys and connection settings.
        store: cache for indexes, manifests and tables.
        progress: progress display.

    Attributes:
        errors: errors of indexes that could not be read or verified, by mirror address.
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
        """List the dataset versions of all mirrors, in the order of the mirrors.

        Args:
            ask: False to read remote indexes from the cache only.
        """
        return self._fetched_listing if ask else self._list(self._local_index)

    @cached_property
    def _fetched_listing(self) -> list[Listed]:
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
            return self._cached_index(address)

    def _local_index(self, address: str) -> Index | None:
        return self._index(address) if Address(address).is_local else self._cached_index(address)

    def _fetch_index(self, address: str) -> Index | None:
        """Fetch the index of a mirror; offline, return the cached index.

        Raises:
            TransportError: the mirror is unreachable or has no index.
            ReadError, ChecksumError: the index is damaged, not signed, or outdated.
        """
        location = Address(address)
        if self.settings.offline and not location.is_local:
            return self._cached_index(address)
        if location.is_local and not location.path.is_dir():
            raise TransportError(url=address, reason="the folder does not exist")
        url = location.join(NAME)
        cached, index = self._cached(address), self._cached_index(address)
        with closing(Transports(timeout=min(self.settings.timeout, TIMEOUT))) as transports:
            answer = _get(transports, url, cached.etag if index else "")
        if answer is not None:
            index = self._verified(answer[0], url)
        if index is not None and self.settings.mirror_keys:
            self._check_current(index, address, cached.serial)
        if index is not None and answer is not None:
            self._cache_index(address, cached, *answer, index)
        return index

    def _check_current(self, index: Index, address: str, seen: int) -> None:
        """Check that a signed index is not replayed from an earlier time.

        Args:
            index: signed index.
            address: address of the mirror.
            seen: highest serial that this user has seen on the mirror.

        Raises:
            ChecksumError: the serial is lower than `seen`, or the index is older than
                DSHUB_MIRROR_MAX_AGE.
        """
        url, actual = Address(address).join(NAME), index.signed_label or "no serial"
        if index.serial < seen:
            path = self.store.root / mirror_path(_key(address))
            raise ChecksumError(
                source=url,
                expected=f"serial {seen}, as seen earlier on this mirror, or a higher one",
                actual=actual,
                hint="an attacker could be replaying an old index; if the mirror was reset on "
                f"purpose, ask its maintainer to sign it again, or remove {path} to accept it",
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
                "NAME… --sign KEY`; to accept this index, raise DSHUB_MIRROR_MAX_AGE or set it "
                "to off",
            )

    def _verified(self, data: bytes, url: str) -> Index:
        index = Index.read(data, source=shown_url(url))
        check_signature(index, self.settings.mirror_keys, source=shown_url(url))
        return index

    def _cached(self, address: str) -> _CachedIndex:
        path = self.store.find(mirror_path(_key(address)))
        with suppress(OSError, ValueError):
            return decode(read_file(path), _CachedIndex) if path else _CachedIndex()
        return _CachedIndex()

    def _cached_index(self, address: str) -> Index | None:
        # another version of dshub cached the index, or DSHUB_MIRROR_KEYS has changed
        with suppress(ReadError, ChecksumError):
            return self._verified(self._cached(address).index.encode(), address)
        return None

    def _cache_index(
        self, address: str, old: _CachedIndex, data: bytes, etag: str, index: Index
    ) -> None:
        serial = max(old.serial, index.serial if self.settings.mirror_keys else 0)
        cached = _CachedIndex(serial=serial)
        if not Address(address).is_local:
            cached = _CachedIndex(etag=etag, index=data.decode(), serial=serial)
        if cached != old:
            with suppress(StoreError):  # the cache is read-only
                self.store.write_text(mirror_path(_key(address)), msgspec.json.encode(cached))

    def local_manifest(self, entry: Entry) -> bytes | None:
        """Read a manifest from the cache or a mirror folder; return None if it must be fetched."""
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
        """Read or fetch the manifest of an entry.

        Raises:
            FetchError: no mirror has the manifest.
            ChecksumError: another user modified the manifest in the cache.
            StoreError: the cache cannot be written.
        """
        data = self.local_manifest(entry)
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
        if fetched.path.is_relative_to(self.store.root):  # blobs can be evicted
            self.store.write_text(manifest_path(checksum), data)
            remove(self.store.root, fetched.path)
        return data

    def take_table(self, entry: Entry, split: str, key: str, recipe: Any) -> bool:
        """Fetch the prepared table of a split into the cache; return False if no mirror has it.

        The files must match the checksums in the index, and the recipe must match `recipe`. The
        caller decides whether to trust the index.

        Args:
            entry: index entry that lists the table.
            split: name of the split.
            key: key of the recipe.
            recipe: expected recipe in `table.json`.

        Raises:
            StoreError: the cache cannot be written.
        """
        facts = entry.tables.get(split)
        if facts is None or facts.key != key or TABLE_FILE not in facts.files:
            return False
        title = f"{entry.name} {split}"
        jobs = [Job(title, name, self._table_file(entry, facts, name)) for name in facts.files]
        # each job already has the URLs of the mirrors, where table files are not blobs
        options = {"mirrors": (), "progress": self.progress}
        fetcher = Fetcher.from_settings(self.store, self.settings, **options)
        try:
            fetched = fetcher.fetch(jobs)
            fetcher.check(fetched)
        except DshubError as error:  # the caller prepares the table from raw files instead
            self.progress.say(f"{title}: could not fetch the table from a mirror ({error})")
            return False
        paths = {item.job.name: item.path for item in fetched}
        if not _is_table_of(paths[TABLE_FILE], facts, (entry.name, split, recipe)):
            self.progress.say(f"{title}: ignored the mirror's table, which has another recipe")
            for path in set(paths.values()):
                remove(self.store.root, path)
            return False
        fetched_now = {item.path for item in fetched if item.source != "cache"}
        with self.store.new_table(entry.name, key) as folder:
            moved: dict[Path, Path] = {}
            for name, path in paths.items():
                if path in fetched_now and path not in moved:
                    moved[path] = path.replace(folder / name)
                else:  # a duplicate of another shard, or a file outside this cache
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
    """Return True if a `table.json` has the expected name, split, recipe and shards."""
    try:
        record = TableRecord.read(path)
    except StoreError:
        return False
    shards = {name: item for name, item in facts.files.items() if name != TABLE_FILE}
    return (record.name, record.split, record.recipe) == expected and shard_facts(record) == shards


def _key(address: str) -> str:
    return hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:32]


def _get(transports: Transports, url: str, etag: str) -> tuple[bytes, str] | None:
    """Fetch an index and its ETag, with one retry; return None if the ETag is still `etag`.

    Raises:
        TransportError: the mirror is unreachable or has no index.
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
            reason = f"the server compressed the index ({answer.encoding}) without being asked"
            raise TransportError(url=url, reason=reason)
        data, buffer = bytearray(), memoryview(bytearray(CHUNK))
        while count := answer.readinto(buffer):
            data += buffer[:count]
            if len(data) > MAX_BYTES:
                raise ReadError(file=shown_url(url), reason="the index is too large")
        if answer.total not in {None, len(data)}:
            reason = f"the response ended after {len(data):,} of {answer.total:,} bytes"
            raise TransportError(url=url, reason=reason, transient=True)
        return bytes(data), answer.etag
