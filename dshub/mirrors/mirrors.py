"""A client's view of its mirrors: what they list, manifests by checksum, tables ready to use.

An index is asked for once in a process, and kept in the cache with its entity tag; where a mirror
cannot be reached, and offline, the kept one serves. Folders are read anew: they cost nothing.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
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

LONGEST = 10.0  # seconds to wait for an index: fetching does not depend on it
PIECE = 1 << 20  # bytes read at a time

_log = logging.getLogger("dshub")


@dataclass(frozen=True)
class Listed:
    """A version of a dataset, as a mirror lists it.

    Attributes:
        entry: what the index says.
        mirror: the address of the mirror, for messages.
    """

    entry: Entry
    mirror: str


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An index in the cache. No address is kept: there may be a password in it.

    Attributes:
        etag: the entity tag it came with.
        index: its bytes; empty for a folder, which is read anew.
        serial: the highest that an index of the mirror had which a key of the user's has signed.
    """

    etag: str
    index: str
    serial: Count = 0


class Mirrors:
    """The mirrors that settings name, in their order.

    Args:
        settings: whose mirrors, keys, and ways to connect.
        store: where indexes, manifests and tables are kept.
        progress: what is told how far the work has come.

    Attributes:
        troubles: what went wrong with a mirror's index, by its address.
        bare: addresses of mirrors that have no index, such as a cache that is served.
    """

    def __init__(
        self, settings: Settings, store: Store, *, progress: Progress | None = None
    ) -> None:
        self.settings, self.store = settings, store
        self.progress = progress or Silent()
        self.troubles: dict[str, DshubError] = {}
        self.bare: set[str] = set()

    def listed(self, *, ask: bool = True) -> list[Listed]:
        """Everything that the mirrors list, in the order of the mirrors.

        Args:
            ask: ask mirrors that are not on this machine; otherwise what is kept of them counts.
        """
        return self._asked if ask else self._through(self._at_hand)

    @cached_property
    def _asked(self) -> list[Listed]:
        return self._through(self._index)

    def _through(self, find: Callable[[str], Index | None]) -> list[Listed]:
        """What each mirror's index lists, in the order of the mirrors."""
        found = [(address, find(address)) for address in self.settings.mirrors]
        return [
            Listed(entry, address)
            for address, index in found
            if index is not None
            for entry in index.datasets
        ]

    def _index(self, address: str) -> Index | None:
        """The index of a mirror; None where it has none, or it cannot be had."""
        try:
            return self._ask(address)
        except DshubError as error:
            _log.info("%s", error)
            self.troubles[address] = error
            return self._kept_index(address)

    def _at_hand(self, address: str) -> Index | None:
        return self._index(address) if Address(address).is_local else self._kept_index(address)

    def _ask(self, address: str) -> Index | None:
        """The index as the mirror has it now; None where it has none.

        Raises:
            TransportError, ReadError, ChecksumError: it cannot be had, or is not to be believed.
        """
        place = Address(address)
        if self.settings.offline and not place.is_local:
            return self._kept_index(address)
        if place.is_local and not place.path.is_dir():  # a stick that is not there
            raise TransportError(url=address, reason="there is no such folder")
        url = place.join(NAME)
        kept, kept_index = self._kept(address), self._kept_index(address)
        with closing(Transports(timeout=min(self.settings.timeout, LONGEST))) as transports:
            try:
                found = _get(transports, url, kept.etag if kept and kept_index else "")
            except TransportError as error:
                if not error.absent:
                    raise
                self.bare.add(address)
                return None
        index = kept_index if found is None else self._believed(found[0], url)
        if index is not None and self.settings.mirror_keys:
            self._check_latest(index, address, kept.serial if kept else 0)
        if index is not None and found is not None:
            self._keep(address, *found, index)
        return index

    def _check_latest(self, index: Index, address: str, seen: int) -> None:
        """Make sure that a signed index is not an old one, played back.

        Raises:
            ChecksumError: a later one was seen; or it is of another host, and too old.
        """
        url = Address(address).join(NAME)
        shown = index.signed or "no serial"
        if index.serial < seen:
            path = self.store.root / mirror_path(_key(address))
            raise ChecksumError(
                source=url,
                expected=f"serial {seen}, which was here before, or a later one",
                actual=shown,
                hint="somebody plays back an old list, or the mirror was set back: ask whoever "
                f"keeps it to sign it anew; to take what it lists now, remove {path}",
            )
        most = self.settings.mirror_max_age
        if Address(address).is_local or most is None or index.date is None:
            return
        if datetime.now(UTC) - index.date > timedelta(days=most):
            raise ChecksumError(
                source=url,
                expected=f"a list signed in the last {most:,} days (DSHUB_MIRROR_MAX_AGE)",
                actual=shown,
                hint="whoever keeps the mirror signs it anew with `dshub mirror DEST NAME… --sign "
                "KEY`; a higher DSHUB_MIRROR_MAX_AGE, or off, takes it as it is",
            )

    def _believed(self, data: bytes, url: str) -> Index:
        index = Index.read(data, source=shown_url(url))
        check_signature(index, self.settings.mirror_keys, source=shown_url(url))
        return index

    def _kept(self, address: str) -> _Kept | None:
        path = self.store.find(mirror_path(_key(address)))
        with suppress(OSError, ValueError):
            return decode(read_file(path), _Kept) if path else None
        return None

    def _kept_index(self, address: str) -> Index | None:
        kept = self._kept(address)
        with suppress(ReadError, ChecksumError):  # by an older dshub, or before keys were named
            return self._believed(kept.index.encode(), address) if kept else None
        return None

    def _keep(self, address: str, data: bytes, etag: str, index: Index) -> None:
        old = self._kept(address)
        serial = max(old.serial if old else 0, index.serial if self.settings.mirror_keys else 0)
        kept = _Kept(etag=etag, index=data.decode(), serial=serial)
        if Address(address).is_local:
            kept = _Kept(etag="", index="", serial=serial)
            if serial == (old.serial if old else 0):
                return
        with suppress(StoreError):  # a cache that cannot be written: it is asked for again
            self.store.write_text(mirror_path(_key(address)), msgspec.json.encode(kept))

    def manifest_at_hand(self, entry: Entry) -> bytes | None:
        """The bytes of a manifest where they need no connection."""
        digest, size = entry.manifest.checksum, entry.manifest.size
        mirrors = map(Address, self.settings.mirrors)
        folders = [mirror.path for mirror in mirrors if mirror.is_local]
        found = [self.store.find(manifest_path(digest))]
        found += [Store(folder).blob(digest, size) for folder in folders]
        for path in filter(None, found):
            with suppress(OSError):
                data = read_file(path)
                if Digest.of_bytes(data) == digest:
                    return data
        return None

    def manifest(self, entry: Entry) -> bytes:
        """The bytes of a manifest, which have its checksum.

        Raises:
            FetchError: no mirror has them.
            ChecksumError: another user put other bytes into the cache.
            StoreError: the cache cannot be written.
        """
        found = self.manifest_at_hand(entry)
        if found is not None:
            return found
        checksum = entry.manifest.checksum
        resource = Resource(
            filename=f"{entry.version}.toml", sha256=checksum.hex, size=entry.manifest.size
        )
        fetcher = self._fetcher()
        [fetched] = fetcher.fetch([Job(entry.name, "manifest", resource)])
        fetcher.check([fetched])
        data = fetched.path.read_bytes()
        if fetched.path.is_relative_to(self.store.root):  # apart, so that no upkeep takes it
            self.store.write_text(manifest_path(checksum), data)
            remove(self.store.root, fetched.path)
        return data

    def take_table(self, entry: Entry, split: str, key: str, recipe: Any) -> bool:
        """Whether the table of a split could be taken from the mirrors, as its entry says.

        Every file has the checksum that the index gives, and its recipe is the one that is
        wanted; whether the index is to be trusted so far is the caller's to judge.

        Args:
            entry: which lists the table.
            split: of the dataset.
            key: of the recipe, under which the table is kept.
            recipe: what `table.json` has to say of how it was made.

        Raises:
            StoreError: the cache cannot be written.
        """
        facts = entry.tables.get(split)
        if facts is None or facts.key != key or TABLE_FILE not in facts.files:
            return False
        jobs = [
            Job(f"{entry.name} {split}", name, self._table_resource(entry, facts, name))
            for name in facts.files
        ]
        fetcher = self._fetcher(everywhere=False)
        try:
            fetched = fetcher.fetch(jobs)
            fetcher.check(fetched)
        except DshubError as error:  # no harm: it is prepared from its files
            self.progress.say(f"{entry.name} {split}: no table from a mirror ({error})")
            return False
        paths = {item.job.name: item.path for item in fetched}
        if not _is_of(paths[TABLE_FILE], facts, (entry.name, split, recipe)):
            self.progress.say(f"{entry.name} {split}: the table of a mirror is of other rows")
            for path in set(paths.values()):
                remove(self.store.root, path)
            return False
        with self.store.new_table(entry.name, key) as folder:
            moved: dict[Path, Path] = {}
            for name, path in paths.items():
                if path in moved:  # shards may have the same bytes
                    shutil.copyfile(moved[path], folder / name)
                else:
                    moved[path] = path.replace(folder / name)
        return True

    def _table_resource(self, entry: Entry, facts: TableFacts, name: str) -> Resource:
        relative = (table_path(entry.name, facts.key) / name).as_posix()
        return Resource(
            urls=tuple(Address(address).join(relative) for address in self.settings.mirrors),
            filename=name,
            sha256=facts.files[name].checksum.hex,
            size=facts.files[name].size,
        )

    def _fetcher(self, *, everywhere: bool = True) -> Fetcher:
        settings = self.settings
        return Fetcher(
            self.store,
            mirrors=settings.mirrors if everywhere else (),
            offline=settings.offline,
            jobs=settings.jobs,
            timeout=settings.timeout,
            progress=Silent() if everywhere else self.progress,
        )


def _is_of(path: Path, facts: TableFacts, wanted: tuple[str, str, Any]) -> bool:
    """Whether a `table.json` is of some name, split and recipe, and has the files of the index."""
    try:
        record = TableRecord.read(path)
    except StoreError:
        return False
    others = {name: item for name, item in facts.files.items() if name != TABLE_FILE}
    return (record.name, record.split, record.recipe) == wanted and shard_facts(record) == others


def _key(address: str) -> str:
    return hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:32]


def _get(transports: Transports, url: str, etag: str) -> tuple[bytes, str] | None:
    """An index and its entity tag; None where it has the tag that is given.

    Raises:
        TransportError: it cannot be had.
        ReadError: it is too large to be one.
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
        return b"".join(_pieces(answer, url)), answer.etag


def _pieces(answer: Any, url: str) -> Iterator[bytes]:
    """The bytes of an answer, which has to be whole."""
    if answer.encoding:
        reason = f"it sends its index encoded as {answer.encoding}, unasked"
        raise TransportError(url=url, reason=reason)
    buffer, count = memoryview(bytearray(PIECE)), 0
    while got := answer.readinto(buffer):
        count += got
        if count > LARGEST:
            raise ReadError(file=shown_url(url), reason="it is too large for an index")
        yield bytes(buffer[:got])
    if answer.total not in {None, count}:
        reason = f"it ended after {count:,} of {answer.total:,} bytes"
        raise TransportError(url=url, reason=reason, transient=True)
