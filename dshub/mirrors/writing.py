"""Write a mirror: select datasets, plan an update, add files and publish the index."""

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
from dshub.mirrors.checking import Pruning, needed_files, plan_pruning, read_index, unneeded_files
from dshub.mirrors.destinations import Destination, How
from dshub.mirrors.index import NAME, BlobFacts, Entry, Index, TableFacts, entry_of, table_facts
from dshub.mirrors.signing import Signer
from dshub.progress import Progress, Task, size


class Supplier(Protocol):
    """Methods and properties of `Hub` that updating a mirror requires."""

    @property
    def store(self) -> Store:
        """Cache to take files from."""

    @property
    def progress(self) -> Progress:
        """Progress display."""

    def fetcher(self, *, store: Store, limit: int | None) -> Fetcher:
        """Return a fetcher that writes to `store`, limited to `limit` bytes per second."""

    def build_tables(self, manifest: Manifest, *, layer: Path) -> dict[str, Path]:
        """Prepare every split, and return the folder of each table by split.

        Args:
            manifest: dataset to prepare.
            layer: additional cache to read files from.
        """


@dataclass(frozen=True)
class Chosen:
    """Dataset selected for a mirror.

    Attributes:
        manifest: parsed manifest.
        text: bytes of the manifest file.
    """

    manifest: Manifest
    text: bytes


def choose(
    datasets: Iterable[tuple[str, Manifest]],
    registry: Registry,
    *,
    deny: Sequence[str] = (),
    restricted: bool = False,
) -> tuple[list[Chosen], dict[str, str]]:
    """Select the datasets for a mirror by license.

    Args:
        datasets: requested names and their published manifests.
        registry: source of the manifest files.
        deny: licenses to leave out; see `dshub.catalog.manifest.denied`.
        restricted: include datasets with a license that forbids redistribution.

    Returns:
        The selected datasets, and the reason for each omitted dataset by identifier.
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
    """Upstream file to add to a mirror.

    Attributes:
        job: download job of the file.
        path: path in the cache; None if the file must be fetched.
    """

    job: Job
    path: Path | None

    @property
    def name(self) -> str:
        """Path in the mirror."""
        return blob_path(self.job.resource.digest).as_posix()

    @property
    def size(self) -> int:
        """Size in bytes; 0 if unknown."""
        return self.job.resource.size or 0


@dataclass(frozen=True)
class Plan:
    """Plan of an update.

    Attributes:
        chosen: selected datasets.
        there: files that are already in the mirror.
        cached: files to take from the cache.
        missing: files to fetch.
        tables: estimated bytes of prepared tables to add.
        writes: bytes of files to write to the mirror, without tables.
        free: free bytes on the mirror's disk; None for a bucket.
        pruning: files to remove.
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
        """Bytes to fetch, not counting files of unknown size."""
        return sum(piece.size for piece in self.missing)


@dataclass
class Report:
    """Outcome of an update.

    Attributes:
        listed: identifiers of the datasets in the new index.
        taken: number of files added from the cache, by method.
        fetched: number of fetched files.
        changed: whether the index was written.
        removed: pruned files.
        errors: download errors; the affected datasets are not in the index.
    """

    listed: list[str] = field(default_factory=list)
    taken: dict[How, int] = field(default_factory=dict)
    fetched: int = 0
    changed: bool = False
    removed: list[str] = field(default_factory=list)
    errors: list[FetchError] = field(default_factory=list)


@dataclass(eq=False)
class Mirroring:
    """Update of a mirror.

    Attributes:
        mirror: folder or bucket to write.
        hub: source of files and tables.
        prepared: include prepared tables.
        limit: maximum download speed in bytes per second; None for no limit.
        signer: signer of the index; None to leave it unsigned.
        prune: remove files and index entries of all other datasets.
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
        """Plan an update without writing files or connecting to upstream servers.

        Raises:
            DshubError: the mirror has different rows of a chosen version; or `prune` is set, and
                the mirror is a cache, or is signed and there is no signer.
            StoreError: the mirror cannot be read.
        """
        self._refuse_other_rows(chosen)
        there, cached, missing = list[Piece](), list[Piece](), list[Piece]()
        for piece in self._pieces(chosen):
            group = there if self._has(piece) else cached if piece.path else missing
            group.append(piece)
        copied = [piece for piece in cached if piece.path and self.mirror.needs_copy(piece.path)]
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
        """Return every file once, with the upstream checksum even if the cache has it unpacked."""
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
        """Carry out a plan; download errors are returned in the report.

        Raises:
            DiskFullError: the mirror's disk has too little space; nothing was written.
            StoreError: the mirror or the cache cannot be written.
            DshubError: the index is signed with another key, or there is no signer; nothing was
                written.
        """
        self._old_entries()
        writes = plan.writes + plan.tables
        if plan.free is not None and writes > plan.free:
            reason = f"the update needs {size(writes)}, but only {size(plan.free)} is free"
            raise DiskFullError(path=self.mirror.title, reason=reason)
        report = Report()
        damaged = self._take(plan.cached, report)
        self._fetch([*plan.missing, *damaged], report)
        complete = [item for item in plan.chosen if all(map(self._has, self._pieces([item])))]
        self._list([self._publish(item) for item in complete], report, plan.pruning.sizes)
        return report

    def _take(self, pieces: Sequence[Piece], report: Report) -> list[Piece]:
        """Add files from the cache to the mirror, and return the files that are damaged."""
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
        """Fetch files into the mirror, or into the cache and then upload them to a bucket.

        Manual downloads are fetched separately per dataset, because a missing one aborts its fetch.
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
        """Write the tables and the manifest of a dataset, and return its index entry."""
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
        """Prepare the tables of a dataset in the cache, and copy them to the mirror."""
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
            hint = f"run `dshub verify {dataset}` to set it aside, then run this command again"
            reason = "the file has changed since the table was prepared"
            raise StoreError(path=str(path), action="use", reason=reason, hint=hint)
        self.mirror.put(path, name)

    def _list(self, entries: Sequence[Entry], report: Report, prunable: Collection[str]) -> None:
        """Write the index if it changed, and prune files that it does not need.

        Nothing is pruned if a download failed, so that the next update can use existing files.

        Args:
            entries: index entries of the complete datasets.
            report: receives the outcome.
            prunable: files that can be removed.

        Raises:
            StoreError: another process removed files of the entries; the index is unchanged.
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
                removed = [name for name in unneeded_files(self.mirror, index) if name in prunable]
                for name in removed:
                    self.mirror.remove(name)
                report.removed = sorted(removed)

    def _check_complete(self, entries: Sequence[Entry]) -> None:
        """Check that no concurrent update has pruned files of the new index."""
        for name, (_, dataset) in needed_files(Index.of(entries)).items():
            if self.mirror.size(name) is None:
                raise StoreError(
                    path=f"{dataset} in {self.mirror.title}",
                    action="list",
                    reason=f"another process removed {name}",
                    hint="wait for other `dshub mirror --prune` commands, then run this again",
                )

    def _merge(self, entries: Iterable[Entry], *, keep_others: bool = False) -> list[Entry]:
        """Return the entries of the new index, with the old tables of unchanged manifests.

        Args:
            entries: entries of this update.
            keep_others: also include the entries of other datasets in the current index.
        """
        old = {entry.identifier: entry for entry in self._old_entries()}
        new = {item.identifier: _with_tables(item, old.get(item.identifier)) for item in entries}
        return list((old | new if keep_others else new).values())

    def _old_entries(self) -> Sequence[Entry]:
        """Return the entries of the current index; empty if they will not be used again.

        Raises:
            DshubError: the index is signed and there is no signer, or its entries are not signed
                with the signer's key.
        """
        old, signer = read_index(self.mirror), self.signer
        if old is None or (self.prune and signer is not None):
            return ()
        if signer is None and old.signatures:
            raise DshubError(
                f"the index of {self.mirror.title} is signed, and no key was passed to sign it",
                hint="pass the private key with --sign",
            )
        if signer is not None and old.datasets and not signer.has_signed(old):
            raise DshubError(
                f"the index of {self.mirror.title} is not signed with this key, so its entries are "
                "not trusted",
                hint=f"remove its {NAME} and name every dataset that the mirror should list "
                "(existing files are not fetched again)",
            )
        return old.datasets


def _with_tables(entry: Entry, old: Entry | None) -> Entry:
    if old is None or entry.tables or old.manifest != entry.manifest:
        return entry
    return msgspec.structs.replace(entry, tables=old.tables)
