"""Run a plan: take tables from mirrors, fetch files, make tables."""

import time
from collections.abc import Sequence
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
    """What running a plan gave.

    Attributes:
        fetched: every file of the plan, and where it came from.
        tables: the folder of each table that was asked for, by dataset identifier and split.
        seconds: how long fetching took.
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
    """Do what a plan says; once more where another process removed a file from the cache.

    Args:
        plan: of `make_plan`.
        fetcher: the one that the plan was made with, or one with another source.
        registry: asked for ready-made tables and for conflicts; not asked where None.
        accept: datasets and families whose terms count as accepted.

    Raises:
        UnknownNameError, ManifestError: a reader is unknown or refuses its options; nothing was
            fetched.
        TermsError: a dataset has terms that have to be accepted first.
        FetchError and its kinds: files have no working source; the others are kept.
        ChecksumError: a file that another user put into the cache is not the published one.
        ReadError, UnsafeArchiveError, SchemaError: files do not hold the promised rows.
        StoreError: the cache cannot be written, or is full.
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
    builds = plan.builds
    if registry is not None:
        if plan.builds or plan.missing:
            for manifest in plan.request.manifests:
                registry.confirm(manifest)
        builds = tuple(_left_by_mirrors(builds, registry))
    _check_readers(builds)
    jobs = list(dict.fromkeys([*plan.files, *(job for build in builds for job in build.jobs)]))
    fetched, seconds = _fetch(jobs, fetcher, plan.table_size)
    read = {job for build in builds for job in build.jobs}
    fetcher.check(item for item in fetched if item.job in read)
    paths = {(item.job.dataset, item.job.name): item.path for item in fetched}
    for build in builds:
        _make(build, paths, fetcher)
    return Outcome(tuple(fetched), _folders(plan, fetcher.store), seconds)


def _left_by_mirrors(builds: Sequence[Build], registry: Registry) -> list[Build]:
    """What is left to make after mirrors gave the tables they have."""
    left = []
    for build in builds:
        rest = []
        for split in build.splits:
            manifest = build.origin.manifest
            made = recipe(manifest, split)
            if not any(
                source.take_table(manifest, split, made.key, made.content)
                for source in registry.remote
            ):
                rest.append(split)
        if rest:
            left.append(replace(build, splits=tuple(rest)))
    return left


def _fetch(jobs: "Sequence[Job]", fetcher: Fetcher, table_size: int) -> tuple[list[Fetched], float]:
    """Fetch files; those of a folder that replaces the sources may have any name there."""
    taken: dict[Job, str] = {}
    if fetcher.only is not None and Path(fetcher.only).is_dir():
        _, missing = fetcher.sort(jobs)
        folder, progress = Path(fetcher.only), fetcher.progress
        for item in import_files(fetcher.store, missing, [folder], progress=progress):
            if isinstance(item, Imported):
                taken[item.job] = str(item.source)
    began = time.monotonic()
    fetched = fetcher.fetch(jobs, reserve=table_size)
    seconds = time.monotonic() - began
    return [replace(item, source=taken.get(item.job, item.source)) for item in fetched], seconds


def _building() -> ModuleType:
    """The module that builds tables; it needs Arrow, which fetching alone does without."""
    from dshub.tables import building

    return building


def _check_readers(builds: Sequence[Build]) -> None:
    """Raise for a reader that is unknown or refuses its options, before anything is fetched."""
    for build in builds:
        for split in build.splits:
            _building().reader_of(build.origin.manifest, split)


def _make(build: Build, paths: dict[tuple[str, str], Path], fetcher: Fetcher) -> None:
    store, needed = fetcher.store, {job.name: paths[job.dataset, job.name] for job in build.jobs}
    with store.using(needed.values()):
        _building().make(build.origin, build.splits, needed, store, progress=fetcher.progress)


def _folders(plan: Plan, store: Store) -> dict[tuple[str, str], Path]:
    """The folder of each table of the request; raises Vanished."""
    if not plan.want_tables:
        return {}
    folders = {}
    for choice in plan.request:
        for split in choice.splits:
            folder = find(choice.manifest, split, store)
            if folder is None:
                raise Vanished(path=f"{store.root}: the table of {choice.manifest.name} {split}")
            store.touch(folder)
            folders[choice.manifest.identifier, split] = folder
    return folders
