"""Run a plan: take tables from mirrors, download files, build tables."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dshub.cache.store import Store
from dshub.catalog.registry import Registry
from dshub.download.fetcher import Fetched, Fetcher
from dshub.errors import Vanished
from dshub.hub.plan import Build, Plan, make_plan, terms_error
from dshub.hub.terms import are_accepted
from dshub.importing.files import Imported, import_files
from dshub.tables.recipe import find, recipe

if TYPE_CHECKING:
    from dshub.download.sources import Job


@dataclass(frozen=True)
class Outcome:
    """The results of running a plan.

    Attributes:
        fetched: path and source of each file of the plan.
        tables: folder of each requested table, by dataset identifier and split.
        seconds: download time in seconds.
    """

    fetched: tuple[Fetched, ...] = ()
    tables: dict[tuple[str, str], Path] = field(default_factory=dict)
    seconds: float = 0.0


def run_plan(
    plan: Plan,
    fetcher: Fetcher,
    *,
    registry: Registry | None = None,
    accept: Sequence[str] = (),
) -> Outcome:
    """Run a plan, and retry once if another process removes a file from the cache.

    Args:
        plan: result of `make_plan`.
        fetcher: fetcher of the plan, or one with another source.
        registry: registry that provides prepared tables and detects conflicting manifests.
        accept: datasets and families with accepted terms.

    Raises:
        UnknownNameError, ManifestError: a reader is unknown or rejects its options; nothing was
            downloaded.
        TermsError: the terms of a dataset must be accepted first.
        FetchError: files could not be downloaded; the others are cached.
        ChecksumError: a file that another user added to the cache has the wrong checksum.
        ReadError, UnsafeArchiveError, SchemaError: files do not match the manifest.
        StoreError: the cache cannot be written, or the disk is full.
    """
    try:
        return _run(plan, fetcher, registry, accept)
    except Vanished:
        files, tables = plan.want_files, plan.want_tables
        again = make_plan(plan.request, fetcher, files=files, tables=tables, accept=accept)
        return _run(again, fetcher, registry, accept)


def _run(plan: Plan, fetcher: Fetcher, registry: Registry | None, accept: Sequence[str]) -> Outcome:
    terms = [item for item in plan.terms if not are_accepted(item, fetcher.store, accept)]
    if terms:
        raise terms_error(terms)
    builds: Sequence[Build] = plan.builds
    if registry is not None:
        if plan.builds or plan.missing:
            for manifest in plan.request.manifests:
                registry.confirm(manifest)
        builds = _without_mirrored(builds, registry)
    _check_readers(builds)
    read = dict.fromkeys(job for build in builds for job in build.jobs)
    jobs = list(dict.fromkeys([*plan.files, *read]))
    fetched, seconds = _fetch(jobs, fetcher, plan.table_size)
    fetcher.check(item for item in fetched if item.job in read)
    paths = {(item.job.dataset, item.job.name): item.path for item in fetched}
    for build in builds:
        _make(build, paths, fetcher)
    return Outcome(tuple(fetched), _folders(plan, fetcher.store), seconds)


def _without_mirrored(builds: Sequence[Build], registry: Registry) -> list[Build]:
    """Take tables from mirrors, and return the builds that no mirror has."""
    remaining = []
    for build in builds:
        splits = tuple(split for split in build.splits if not _take_table(build, split, registry))
        if splits:
            remaining.append(replace(build, splits=splits))
    return remaining


def _take_table(build: Build, split: str, registry: Registry) -> bool:
    """Take a table from the first mirror that has it, and return True on success."""
    manifest = build.origin.manifest
    table = recipe(manifest, split)
    return any(
        source.take_table(manifest, split, table.key, table.content) for source in registry.remote
    )


def _fetch(jobs: "Sequence[Job]", fetcher: Fetcher, table_size: int) -> tuple[list[Fetched], float]:
    """Download files, and return them with the elapsed seconds.

    If a folder replaces all sources, its files are recognized by checksum under any name.
    """
    imported: dict[Job, str] = {}
    if fetcher.only is not None and Path(fetcher.only).is_dir():
        _, missing = fetcher.sort(jobs)
        folder, progress = Path(fetcher.only), fetcher.progress
        for item in import_files(fetcher.store, missing, [folder], progress=progress):
            if isinstance(item, Imported):
                imported[item.job] = str(item.source)
    began = time.monotonic()
    fetched = fetcher.fetch(jobs, reserve=table_size)
    seconds = time.monotonic() - began
    return [replace(item, source=imported.get(item.job, item.source)) for item in fetched], seconds


def _building() -> ModuleType:
    """Import `dshub.tables.building` lazily, because downloading does not need Arrow."""
    from dshub.tables import building

    return building


def _check_readers(builds: Sequence[Build]) -> None:
    """Check that readers exist and accept their options, before anything is downloaded."""
    for build in builds:
        for split in build.splits:
            _building().reader_of(build.origin.manifest, split)


def _make(build: Build, paths: Mapping[tuple[str, str], Path], fetcher: Fetcher) -> None:
    store, files = fetcher.store, {job.name: paths[job.dataset, job.name] for job in build.jobs}
    with store.using(files.values()):
        _building().make(build.origin, build.splits, files, store, progress=fetcher.progress)


def _folders(plan: Plan, store: Store) -> dict[tuple[str, str], Path]:
    """Return the folder of each requested table.

    Raises:
        Vanished: another process removed a table.
    """
    folders: dict[tuple[str, str], Path] = {}
    if not plan.want_tables:
        return folders
    for choice in plan.request:
        for split in choice.splits:
            folder = find(choice.manifest, split, store)
            if folder is None:
                raise Vanished(path=f"{store.root}: the table of {choice.manifest.name} {split}")
            store.touch(folder)
            folders[choice.manifest.identifier, split] = folder
    return folders
