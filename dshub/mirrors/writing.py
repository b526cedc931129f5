"""Choose datasets for a mirror and write it.

Which datasets a mirror is to hold, and which stay out for their licence.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import msgspec

from dshub.cache.paths import TABLE_FILE, blob_path, table_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest, denied
from dshub.catalog.registry import Registry
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import DiskFullError, DshubError, FetchError, StoreError
from dshub.mirrors.checking import Pruning, needed, plan_pruning, prune, read_index
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
        """Shows how far an update is."""

    def fetcher(self, *, store: Store, limit: int | None) -> Fetcher:
        """A downloader that writes to `store`, at most `limit` bytes a second."""

    def build_tables(self, manifest: Manifest, *, layer: Path) -> dict[str, Path]:
        """Prepare every split; files are also read from the cache at `layer`."""


@dataclass(frozen=True)
class Chosen:
    """A dataset for a mirror.

    Attributes:
        name: as it was named, so that a hub finds it again.
        manifest: what it is.
        text: the bytes of its manifest's file.
    """

    name: str
    manifest: Manifest
    text: bytes


@dataclass(frozen=True)
class LeftOut:
    """A dataset that stays out of a mirror, and why."""

    name: str
    reason: str


def choose(
    datasets: Iterable[tuple[str, Manifest]],
    registry: Registry,
    *,
    deny: Sequence[str] = (),
    restricted: bool = False,
) -> tuple[list[Chosen], list[LeftOut]]:
    """Split datasets into those for a mirror and those that stay out.

    Args:
        datasets: the names that were asked for, with their published manifests.
        registry: has the bytes of their manifests.
        deny: licences that stay out; see `dshub.catalog.manifest`.
        restricted: take in what its licence forbids to pass on, too.
    """
    chosen, out = [], []
    for name, manifest in datasets:
        reason = denied(manifest.license, deny)
        if not reason and manifest.license.redistribution == "no" and not restricted:
            reason = "its licence forbids to pass the files on (--restricted takes it in)"
        if reason:
            out.append(LeftOut(manifest.identifier, reason))
        else:
            chosen.append(Chosen(name, manifest, registry.text(name)))
    return chosen, out


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a mirror is written.

    Attributes:
        prepared: prepared tables go there too.
        limit: bytes a second to fetch, at most.
        signer: signs the index.
        prune: the mirror is to hold the selection alone; the rest is removed.
    """

    prepared: bool = False
    limit: int | None = None
    signer: Signer | None = None
    prune: bool = False


@dataclass(frozen=True)
class Piece:
    """An upstream file that the mirror is to have.

    Attributes:
        job: the file.
        name: where it goes.
        path: where the cache has it; None where it has to be fetched.
    """

    job: Job
    name: str
    path: Path | None = None

    @property
    def size(self) -> int:
        """Bytes, as far as they are known."""
        return self.job.resource.size or 0


@dataclass(frozen=True)
class Plan:
    """What an update would do.

    Attributes:
        chosen: the datasets.
        there: files that the mirror has.
        kept: files that the cache has.
        missing: files that have to be fetched.
        tables: bytes of the tables that go there too, as far as they can be told.
        writes: bytes that have to be written to the mirror.
        free: bytes that are free there; None where nobody knows.
        pruning: what is removed.
    """

    chosen: Sequence[Chosen]
    there: Sequence[Piece]
    kept: Sequence[Piece]
    missing: Sequence[Piece]
    tables: int
    writes: int
    free: int | None
    pruning: Pruning = field(default_factory=Pruning)

    @property
    def to_fetch(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(piece.size for piece in self.missing)


@dataclass
class Report:
    """What an update did.

    Attributes:
        listed: the datasets that the index lists now.
        taken: files that came from the cache, and how.
        fetched: files that were fetched.
        changed: whether the index is another than before.
        removed: names that were pruned.
        errors: why some datasets are not complete, and so not in the index.
    """

    listed: list[str] = field(default_factory=list)
    taken: dict[How, int] = field(default_factory=dict)
    fetched: int = 0
    changed: bool = False
    removed: list[str] = field(default_factory=list)
    errors: list[FetchError] = field(default_factory=list)


class Mirroring:
    """One update of a mirror.

    Args:
        place: the mirror.
        hub: supplies files and tables.
        options: how.
    """

    def __init__(self, place: Destination, hub: Supplier, options: Options) -> None:
        self._place, self._hub, self._options = place, hub, options

    def plan(self, chosen: Sequence[Chosen]) -> Plan:
        """What an update would do; writes nothing, and asks no source.

        Raises:
            DshubError: the mirror is to be pruned, but is a cache or is signed by others.
            StoreError: it cannot be read.
        """
        sorted_out: dict[str, list[Piece]] = {"there": [], "kept": [], "missing": []}
        for piece in self._pieces(chosen):
            if self._has(piece):
                sorted_out["there"].append(piece)
            elif piece.path is not None:
                sorted_out["kept"].append(piece)
            else:
                sorted_out["missing"].append(piece)
        kept, missing = sorted_out["kept"], sorted_out["missing"]
        tables = sum(item.manifest.prepared_size() for item in chosen) * self._options.prepared
        copied = [piece for piece in kept if piece.path and self._place.costs(piece.path)]
        writes = sum(piece.size for piece in [*copied, *missing])
        free = self._place.free()
        pruning = self._pruning(chosen) if self._options.prune else Pruning()
        return Plan(chosen, sorted_out["there"], kept, missing, tables, writes, free, pruning)

    def _pruning(self, chosen: Iterable[Chosen]) -> Pruning:
        old = {entry.identifier: entry for entry in self._old_entries()}
        entries = [entry_of(item.manifest, item.text, {}) for item in chosen]
        entries = [_with_tables(entry, old.get(entry.identifier)) for entry in entries]
        before = read_index(self._place)
        listed = before.datasets if before is not None else ()
        return plan_pruning(self._place, entries, listed, self._hub.store)

    def _pieces(self, chosen: Iterable[Chosen]) -> list[Piece]:
        """Every file once; the cache may have the bytes inside, but a mirror has upstream's."""
        found: dict[str, Piece] = {}
        for item in chosen:
            for key, resource in item.manifest.split_resources().items():
                name = blob_path(resource.digest).as_posix()
                plain = msgspec.structs.replace(resource, content_sha256=None)
                path = self._hub.store.blob(resource.digest, resource.size)
                found.setdefault(name, Piece(Job(item.manifest.name, key, plain), name, path))
        return list(found.values())

    def _has(self, piece: Piece) -> bool:
        there, wanted = self._place.size(piece.name), piece.job.resource.size
        return there is not None and wanted in {None, there}

    def run(self, plan: Plan) -> Report:
        """Do what the plan says; what could not be fetched is told in the report.

        Raises:
            DiskFullError: there is no space for it; nothing was written.
            StoreError: the mirror, or the cache, cannot be written.
            DshubError: the index that is there must not be changed; nothing was written.
        """
        self._check(plan)
        report = Report()
        self._place.sweep()
        missing = [*plan.missing, *self._take(plan.kept, report)]
        self._fetch(missing, report)
        complete = [item for item in plan.chosen if all(map(self._has, self._pieces([item])))]
        entries = [self._published(item) for item in complete]
        self._list(entries, report, plan.pruning.sizes)
        return report

    def _check(self, plan: Plan) -> None:
        self._old_entries()
        needed_space = plan.writes + plan.tables
        if plan.free is not None and needed_space > plan.free:
            reason = f"{size(needed_space)} are to be written and {size(plan.free)} are free"
            raise DiskFullError(path=self._place.title, reason=reason)

    def _take(self, pieces: Sequence[Piece], report: Report) -> list[Piece]:
        """Take files from the cache; returns those whose bytes there turn out to be damaged."""
        damaged = []
        total = sum(piece.size for piece in pieces)
        with Task(self._hub.progress, "taking from the cache", total) as task:
            for piece in pieces:
                if piece.path is None or not self._put(piece.path, piece, report):
                    damaged.append(replace(piece, path=None))
                task.advance(piece.size)
        return damaged

    def _put(self, path: Path, piece: Piece, report: Report) -> bool:
        """Take one file, unless its bytes have changed; then it is put aside in the cache."""
        if not piece.job.resource.digest.fits(path):
            if path.is_relative_to(self._hub.store.root):
                self._hub.store.set_aside(path)
            return False
        how = self._place.put(path, piece.name)
        report.taken[how] = report.taken.get(how, 0) + 1
        return True

    def _fetch(self, pieces: Sequence[Piece], report: Report) -> None:
        """Fetch files to where they stay, or through the cache; what fails is noted.

        Files that a person must obtain are asked for alone, for one of them stops a whole fetch.
        """
        groups: dict[str, list[Piece]] = {}
        for piece in pieces:
            manual = piece.job.resource.access == "manual"
            groups.setdefault(piece.job.dataset if manual else "", []).append(piece)
        for group in groups.values():
            by_digest = {piece.job.resource.digest: piece for piece in group}
            try:
                self._fetcher().fetch([piece.job for piece in group])
            except FetchError as error:
                report.errors.append(error)
            for digest, piece in by_digest.items():
                self._arrived(digest, piece, report)

    def _arrived(self, digest: Digest, piece: Piece, report: Report) -> None:
        """Count a file, and upload it where it went to the cache."""
        if not self._has(piece):
            path = self._hub.store.blob(digest, piece.job.resource.size)
            if path is None:
                return
            self._place.put(path, piece.name)
        report.fetched += self._has(piece)

    def _fetcher(self) -> Fetcher:
        store = self._place.fetching_store(self._hub.store)
        return self._hub.fetcher(store=store, limit=self._options.limit)

    def _published(self, item: Chosen) -> Entry:
        """Put tables and manifest of a dataset there; returns what the index says of it."""
        tables = self._tables(item) if self._options.prepared else {}
        entry = entry_of(item.manifest, item.text, tables)
        blob = blob_path(entry.manifest.checksum).as_posix()
        if self._place.size(blob) != len(item.text):
            self._place.write(blob, item.text)
        if not self._says(entry.registry_path, item.text):
            self._place.write(entry.registry_path, item.text)
        return entry

    def _says(self, name: str, text: bytes) -> bool:
        if self._place.size(name) != len(text):
            return False
        with self._place.open(name) as file:
            return file.read() == text

    def _tables(self, item: Chosen) -> dict[str, TableFacts]:
        """Prepare the tables of a dataset in the cache, and put them there."""
        store = self._place.fetching_store(self._hub.store)
        found = {}
        for split, folder in self._hub.build_tables(item.manifest, layer=store.root).items():
            facts = found[split] = table_facts(folder)
            for name in sorted(facts.files, key=lambda name: name == TABLE_FILE):
                self._put_table(folder / name, facts.files[name], item.manifest.name)
        return found

    def _put_table(self, path: Path, facts: BlobFacts, dataset: str) -> None:
        name = (table_path(dataset, path.parent.name) / path.name).as_posix()
        if self._place.size(name) == facts.size:
            return
        if not facts.checksum.fits(path):
            hint = f"`dshub verify {dataset}` puts it aside; then it is made anew"
            reason = "its bytes are not those that were written"
            raise StoreError(path=str(path), action="use", reason=reason, hint=hint)
        self._place.put(path, name)

    def _list(self, entries: Sequence[Entry], report: Report, prunable: Collection[str]) -> None:
        """Write the index, if it changes, and remove what it does not need.

        Where something failed nothing is removed: what has arrived of it is of use next time.

        Raises:
            StoreError: files of the entries were removed meanwhile; the index stays as it is.
        """
        pruning = self._options.prune and not report.errors
        with self._place.locked():
            self._check_there(entries)
            old = read_index(self._place)
            merged = {entry.identifier: entry for entry in self._old_entries()}
            for entry in entries:
                merged[entry.identifier] = _with_tables(entry, merged.get(entry.identifier))
            if pruning:
                merged = {entry.identifier: merged[entry.identifier] for entry in entries}
            index = Index.of(merged.values())
            signer = self._options.signer
            if signer is not None:
                index = signer.sign(index, before=old)
            elif old is not None and index.body == old.body:
                index = old
            if old is None or index.encode() != old.encode():
                self._place.write(NAME, index.encode())
                report.changed = True
            report.listed = sorted(merged)
            if pruning:
                report.removed = prune(self._place, index, prunable)

    def _check_there(self, entries: Sequence[Entry]) -> None:
        """Make sure that no other update has pruned what the index is about to list."""
        for name, (_, dataset) in needed(Index.of(entries)).items():
            if self._place.size(name) is None:
                raise StoreError(
                    path=f"{dataset} in {self._place.title}",
                    action="list",
                    reason=f"{name} was removed meanwhile",
                    hint="another `dshub mirror --prune` may have been at work: run this again",
                )

    def _old_entries(self) -> Sequence[Entry]:
        """What the index lists so far.

        Raises:
            DshubError: it was signed, and is not to be signed again by the same key; or it was
                not, so that nobody vouches for what it lists.
        """
        old, signer = read_index(self._place), self._options.signer
        if old is None or (self._options.prune and signer is not None):
            return ()
        if signer is None and old.signatures:
            raise DshubError(
                f"the index of {self._place.title} is signed, and no key was named to sign it anew",
                hint="name the key with --sign",
            )
        if signer is not None and old.datasets and not signer.signed(old):
            raise DshubError(
                f"the index of {self._place.title} is not signed by this key, and what it lists "
                "must not be signed unseen",
                hint=f"remove its {NAME} and name all that the mirror is to list: files that are "
                "there are not fetched again",
            )
        return old.datasets


def _with_tables(entry: Entry, old: Entry | None) -> Entry:
    """An entry that keeps the tables that it had, where its manifest is still the same."""
    if old is None or entry.tables or old.manifest != entry.manifest:
        return entry
    return msgspec.structs.replace(entry, tables=old.tables)
