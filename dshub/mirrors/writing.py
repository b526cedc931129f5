"""Write a mirror: choose datasets, plan the update, copy and fetch files, publish the index."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from dshub.cache.paths import TABLE_FILE, blob_path, table_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest, denied
from dshub.catalog.registry import Registry
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import DiskFullError, DshubError, FetchError, StoreError
from dshub.mirrors.checking import Pruning, needed, plan_pruning, read_index, unneeded
from dshub.mirrors.destinations import Destination, How
from dshub.mirrors.index import NAME, BlobFacts, Entry, Index, TableFacts, entry_of, table_facts
from dshub.mirrors.signing import Signer
from dshub.progress import Progress, Task, size


class Supplier(Protocol):
    """The parts of a `Hub` that fill a mirror."""

    @property
    def store(self) -> Store:
        """The cache that files are taken from."""

    @property
    def progress(self) -> Progress:
        """Shows progress."""

    def fetcher(self, *, store: Store, limit: int | None) -> Fetcher:
        """Return a fetcher that writes to `store`, at most `limit` bytes a second."""

    def build_tables(self, manifest: Manifest, *, layer: Path) -> dict[str, Path]:
        """Prepare every split; files are also read from the cache at `layer`."""


@dataclass(frozen=True)
class Chosen:
    """A dataset for a mirror: its manifest, and the bytes of the manifest's file."""

    manifest: Manifest
    text: bytes


def choose(
    datasets: Iterable[tuple[str, Manifest]],
    registry: Registry,
    *,
    deny: Sequence[str] = (),
    restricted: bool = False,
) -> tuple[list[Chosen], dict[str, str]]:
    """Split datasets into those for a mirror and those left out, with the reasons.

    Args:
        datasets: requested names, with their published manifests.
        registry: has the bytes of the manifests.
        deny: licenses to leave out; see `dshub.catalog.manifest.denied`.
        restricted: include datasets whose license forbids redistribution.
    """
    chosen, left_out = [], {}
    for name, manifest in datasets:
        reason = denied(manifest.license, deny)
        if not reason and manifest.license.redistribution == "no" and not restricted:
            reason = "its license forbids redistribution (--restricted includes it)"
        if reason:
            left_out[manifest.identifier] = reason
        else:
            chosen.append(Chosen(manifest, registry.text(name)))
    return chosen, left_out


@dataclass(frozen=True)
class Piece:
    """An upstream file of a mirror.

    Attributes:
        job: the file.
        path: where the cache has it; None if it must be fetched.
    """

    job: Job
    path: Path | None

    @property
    def name(self) -> str:
        """Its path in the mirror."""
        return blob_path(self.job.resource.digest).as_posix()

    @property
    def size(self) -> int:
        """Bytes; 0 if unknown."""
        return self.job.resource.size or 0


@dataclass(frozen=True)
class Plan:
    """The plan of an update.

    Attributes:
        chosen: the datasets.
        there: files that the mirror has.
        cached: files that the cache has.
        missing: files to fetch.
        tables: bytes of the tables to add, as far as they are known.
        writes: bytes of files to write to the mirror.
        free: bytes that are free there; None if unknown, as in a bucket.
        pruning: what to remove.
    """

    chosen: Sequence[Chosen]
    there: Sequence[Piece]
    cached: Sequence[Piece]
    missing: Sequence[Piece]
    tables: int
    writes: int
    free: int | None
    pruning: Pruning

    @property
    def to_fetch(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(piece.size for piece in self.missing)


@dataclass
class Report:
    """The outcome of an update.

    Attributes:
        listed: the datasets in the index now.
        taken: number of files from the cache, by the way they were taken.
        fetched: number of fetched files.
        changed: whether the index was written.
        removed: pruned files.
        errors: why some datasets are incomplete, and so not in the index.
    """

    listed: list[str] = field(default_factory=list)
    taken: dict[How, int] = field(default_factory=dict)
    fetched: int = 0
    changed: bool = False
    removed: list[str] = field(default_factory=list)
    errors: list[FetchError] = field(default_factory=list)


@dataclass(eq=False)
class Mirroring:
    """An update of a mirror.

    Attributes:
        mirror: a folder or a bucket.
        hub: supplies files and tables.
        prepared: include prepared tables.
        limit: bytes a second to fetch, at most.
        signer: signs the index.
        prune: remove everything that the selection does not need.
    """

    mirror: Destination
    hub: Supplier
    prepared: bool = False
    limit: int | None = None
    signer: Signer | None = None
    prune: bool = False

    def __post_init__(self) -> None:
        self._files = self.mirror.store or self.hub.store

    def plan(self, chosen: Sequence[Chosen]) -> Plan:
        """Plan an update; writes nothing, and opens no connection to upstream.

        Raises:
            DshubError: the mirror has other rows of a chosen version; or it is to be pruned, but
                is a cache or signed with another key.
            StoreError: it cannot be read.
        """
        self._refuse_other_rows(chosen)
        there, cached, missing = list[Piece](), list[Piece](), list[Piece]()
        for piece in self._pieces(chosen):
            group = there if self._has(piece) else cached if piece.path else missing
            group.append(piece)
        copied = [piece for piece in cached if piece.path and self.mirror.costs(piece.path)]
        pruning = Pruning()
        if self.prune:
            new = self._merge(entry_of(item.manifest, item.text, {}) for item in chosen)
            pruning = plan_pruning(self.mirror, new, self.hub.store)
        return Plan(
            chosen=chosen,
            there=there,
            cached=cached,
            missing=missing,
            tables=sum(item.manifest.prepared_size() for item in chosen) * self.prepared,
            writes=sum(piece.size for piece in [*copied, *missing]),
            free=self.mirror.store.free() if self.mirror.store else None,
            pruning=pruning,
        )

    def _refuse_other_rows(self, chosen: Sequence[Chosen]) -> None:
        """Raise DshubError if the mirror lists a chosen version with other rows."""
        index = read_index(self.mirror)
        old = {entry.identifier: entry.rows_digest for entry in index.datasets} if index else {}
        for manifest in (item.manifest for item in chosen):
            if old.get(manifest.identifier, manifest.digest) != manifest.digest:
                raise DshubError(
                    f"{self.mirror.title} has {manifest.identifier} with other rows",
                    hint="raise `version` in the manifest, because clients can have the old rows; "
                    f"to replace them, remove the mirror's {NAME} and name every dataset that the "
                    "mirror should list",
                )

    def _pieces(self, chosen: Iterable[Chosen]) -> list[Piece]:
        """Every file once, as upstream published it; the cache may have it unpacked."""
        pieces: dict[str, Piece] = {}
        for item in chosen:
            for key, resource in item.manifest.split_resources().items():
                upstream = msgspec.structs.replace(resource, content_sha256=None)
                path = self.hub.store.blob(resource.digest, resource.size)
                piece = Piece(Job(item.manifest.name, key, upstream), path)
                pieces.setdefault(piece.name, piece)
        return list(pieces.values())

    def _has(self, piece: Piece) -> bool:
        size = self.mirror.size(piece.name)
        return size is not None and piece.job.resource.size in {None, size}

    def run(self, plan: Plan) -> Report:
        """Carry out a plan; the report lists files that could not be fetched.

        Raises:
            DiskFullError: there is not enough space; nothing was written.
            StoreError: the mirror or the cache cannot be written.
            DshubError: the index must not be changed; nothing was written.
        """
        self._old_entries()
        writes = plan.writes + plan.tables
        if plan.free is not None and writes > plan.free:
            reason = f"{size(writes)} are to be written and {size(plan.free)} are free"
            raise DiskFullError(path=self.mirror.title, reason=reason)
        report = Report()
        damaged = self._take(plan.cached, report)
        self._fetch([*plan.missing, *damaged], report)
        complete = [item for item in plan.chosen if all(map(self._has, self._pieces([item])))]
        self._list([self._publish(item) for item in complete], report, plan.pruning.sizes)
        return report

    def _take(self, pieces: Sequence[Piece], report: Report) -> list[Piece]:
        """Take files from the cache; returns those that turn out to be damaged there."""
        damaged = []
        total = sum(piece.size for piece in pieces)
        with Task(self.hub.progress, "taking files from the cache", total) as task:
            for piece in pieces:
                path = piece.path
                if path and piece.job.resource.digest.fits(path):
                    how = self.mirror.put(path, piece.name)
                    report.taken[how] = report.taken.get(how, 0) + 1
                else:
                    damaged.append(piece)
                    if path and path.is_relative_to(self.hub.store.root):
                        self.hub.store.set_aside(path)
                task.advance(piece.size)
        return damaged

    def _fetch(self, pieces: Sequence[Piece], report: Report) -> None:
        """Fetch files, and upload those that went to the cache.

        Files that a person must obtain are fetched apart, since one of them stops a whole fetch.
        """
        groups: dict[str, list[Piece]] = {}
        for piece in pieces:
            manual = piece.job.resource.access == "manual"
            groups.setdefault(piece.job.dataset if manual else "", []).append(piece)
        for group in groups.values():
            fetcher = self.hub.fetcher(store=self._files, limit=self.limit)
            try:
                fetcher.fetch([piece.job for piece in group])
            except FetchError as error:
                report.errors.append(error)
            for piece in group:
                resource = piece.job.resource
                path = self.hub.store.blob(resource.digest, resource.size)
                if path is not None and not self._has(piece):
                    self.mirror.put(path, piece.name)
                report.fetched += self._has(piece)

    def _publish(self, item: Chosen) -> Entry:
        """Write the tables and the manifest of a dataset; returns its entry for the index."""
        tables = self._publish_tables(item.manifest) if self.prepared else {}
        entry = entry_of(item.manifest, item.text, tables)
        blob = blob_path(entry.manifest.checksum).as_posix()
        if self.mirror.size(blob) != len(item.text):
            self.mirror.write(blob, item.text)
        if not self._contains(entry.registry_path, item.text):
            self.mirror.write(entry.registry_path, item.text)
        return entry

    def _contains(self, name: str, text: bytes) -> bool:
        if self.mirror.size(name) != len(text):
            return False
        with self.mirror.open(name) as file:
            return file.read() == text

    def _publish_tables(self, manifest: Manifest) -> dict[str, TableFacts]:
        """Prepare the tables of a dataset in the cache, and copy them."""
        tables = {}
        for split, folder in self.hub.build_tables(manifest, layer=self._files.root).items():
            facts = tables[split] = table_facts(folder)
            for name in sorted(facts.files, key=lambda name: name == TABLE_FILE):
                self._put_table_file(folder / name, facts.files[name], manifest.name)
        return tables

    def _put_table_file(self, path: Path, facts: BlobFacts, dataset: str) -> None:
        name = (table_path(dataset, path.parent.name) / path.name).as_posix()
        if self.mirror.size(name) == facts.size:
            return
        if not facts.checksum.fits(path):
            hint = f"run `dshub verify {dataset}` to put it aside, and then this command again"
            reason = "its bytes have changed since it was prepared"
            raise StoreError(path=str(path), action="use", reason=reason, hint=hint)
        self.mirror.put(path, name)

    def _list(self, entries: Sequence[Entry], report: Report, prunable: Collection[str]) -> None:
        """Write the index, if it changes, and remove those of `prunable` that it does not need.

        After a failure nothing is removed: the files that did arrive are useful next time.

        Raises:
            StoreError: files of the entries were removed meanwhile; the index is unchanged.
        """
        with self.mirror.locked():
            self._check_complete(entries)
            old, signer = read_index(self.mirror), self.signer
            pruning = self.prune and not report.errors
            index = Index.of(self._merge(entries, keep_others=not pruning))
            if signer is not None:
                index = signer.sign(index, before=old)
            elif old is not None and index.body == old.body:
                index = old
            if old is None or index.encode() != old.encode():
                self.mirror.write(NAME, index.encode())
                report.changed = True
            report.listed = sorted(entry.identifier for entry in index.datasets)
            if pruning:
                removed = [name for name in unneeded(self.mirror, index) if name in prunable]
                for name in removed:
                    self.mirror.remove(name)
                report.removed = sorted(removed)

    def _check_complete(self, entries: Sequence[Entry]) -> None:
        """Check that no other update has pruned files that the index is about to list."""
        for name, (_, dataset) in needed(Index.of(entries)).items():
            if self.mirror.size(name) is None:
                raise StoreError(
                    path=f"{dataset} in {self.mirror.title}",
                    action="list",
                    reason=f"{name} was removed meanwhile",
                    hint="run this again; another `dshub mirror --prune` may have been running",
                )

    def _merge(self, entries: Iterable[Entry], *, keep_others: bool = False) -> list[Entry]:
        """Give entries the tables that they had, if their manifests are unchanged.

        Args:
            entries: the new entries.
            keep_others: keep other entries of the index as well.
        """
        old = {entry.identifier: entry for entry in self._old_entries()}
        new = {item.identifier: _with_tables(item, old.get(item.identifier)) for item in entries}
        return list((old | new if keep_others else new).values())

    def _old_entries(self) -> Sequence[Entry]:
        """The entries of the index so far.

        Raises:
            DshubError: it is signed and no key was given, or its entries are not signed by the
                given key, so they must not be signed with it.
        """
        old, signer = read_index(self.mirror), self.signer
        if old is None or (self.prune and signer is not None):
            return ()
        if signer is None and old.signatures:
            raise DshubError(
                f"the index of {self.mirror.title} is signed; changing it needs the key",
                hint="name the private key with --sign",
            )
        if signer is not None and old.datasets and not signer.has_signed(old):
            raise DshubError(
                f"the index of {self.mirror.title} is not signed by this key, so its entries must "
                "not be signed with it",
                hint=f"remove its {NAME} and name every dataset that the mirror should list; files "
                "that are there are not fetched again",
            )
        return old.datasets


def _with_tables(entry: Entry, old: Entry | None) -> Entry:
    if old is None or entry.tables or old.manifest != entry.manifest:
        return entry
    return msgspec.structs.replace(entry, tables=old.tables)
