"""Plan the downloads and tables of a request, without network access."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dshub import archives
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job, jobs, sources
from dshub.errors import TermsError
from dshub.hub.request import Request
from dshub.hub.terms import are_accepted
from dshub.tables.recipe import Origin, origin, table_of


@dataclass(frozen=True)
class Build:
    """A set of tables to build from one origin.

    Attributes:
        origin: source of the rows.
        splits: splits that have no table yet.
    """

    origin: Origin
    splits: tuple[str, ...]

    @property
    def jobs(self) -> list[Job]:
        """The upstream files to read."""
        return jobs(self.origin.manifest, self.splits)


@dataclass(frozen=True)
class Plan:
    """The files to download and the tables to build for a request.

    Attributes:
        request: datasets and splits.
        files: upstream files to store, even if no table needs them.
        builds: tables to build.
        cached: files that are in the cache, without duplicates.
        missing: files to download, without duplicate checksums.
        resumable: bytes of the missing files that are on disk, from interrupted downloads.
        table_size: estimated bytes of the tables and of temporarily unpacked archives.
        free: free bytes on the disk of the cache, or None if unknown.
        terms: datasets that require accepting terms before the download.
        want_files, want_tables: the arguments `files` and `tables` of `make_plan`.
    """

    request: Request
    files: tuple[Job, ...]
    builds: tuple[Build, ...]
    cached: tuple[Job, ...]
    missing: tuple[Job, ...]
    resumable: int
    table_size: int
    free: int | None
    terms: tuple[Manifest, ...]
    want_files: bool
    want_tables: bool

    @property
    def size(self) -> int:
        """Number of bytes to download, not counting files of unknown size."""
        return sum(job.resource.size or 0 for job in self.missing) - self.resumable


def make_plan(
    request: Request,
    fetcher: Fetcher,
    *,
    files: bool = True,
    tables: bool = True,
    accept: Sequence[str] = (),
) -> Plan:
    """Return the plan for a request.

    Args:
        request: datasets and splits.
        fetcher: fetcher with the cache and the sources.
        files: download every upstream file of the splits, even if the table is ready.
        tables: build missing tables.
        accept: datasets and families with accepted terms.
    """
    store = fetcher.store
    origins = [
        {split: origin(choice.manifest, split, store) for split in choice.splits}
        for choice in request
    ]
    builds = tuple(_builds(origins, store)) if tables else ()
    upstream = tuple(_upstream(request, origins)) if files else ()
    needed = list(dict.fromkeys([*upstream, *(job for build in builds for job in build.jobs)]))
    cached, missing = fetcher.sort(needed)
    table_size = sum(build.origin.manifest.prepared_size(build.splits) for build in builds)
    table_size += max(map(_unpacked_size, builds), default=0)  # builds run one at a time
    return Plan(
        request=request,
        files=upstream,
        builds=builds,
        cached=tuple(cached),
        missing=tuple(missing),
        resumable=sum(map(fetcher.reusable_size, missing)),
        table_size=table_size,
        free=store.free(),
        terms=tuple(_unaccepted(request, needed, fetcher, accept)),
        want_files=files,
        want_tables=tables,
    )


def terms_error(manifests: Sequence[Manifest]) -> TermsError:
    """Return the error for datasets with terms that are not accepted."""
    return TermsError(terms={item.name: item.license.terms or "" for item in manifests})


def _unpacked_size(build: Build) -> int:
    """Estimate the disk space for archives that must be unpacked, from their packed size."""
    resources = build.origin.manifest.split_resources(build.splits).values()
    containers = [(archives.container_for(item.name), item.size or 0) for item in resources]
    return sum(size for kind, size in containers if kind is not None and kind.stream is not None)


_Origins = Sequence[Mapping[str, Origin]]  # one mapping per dataset, with splits as keys


def _builds(origins: _Origins, store: Store) -> Iterator[Build]:
    """Yield builds of missing tables, with all splits that read upstream files in one build."""
    for splits in origins:
        missing = {
            name: item for name, item in splits.items() if table_of(item, name, store) is None
        }
        upstream = tuple(name for name, item in missing.items() if item.record is None)
        if upstream:
            yield Build(missing[upstream[0]], upstream)
        for name, item in missing.items():
            if item.record is not None:
                yield Build(item, (name,))


def _upstream(request: Request, origins: _Origins) -> Iterator[Job]:
    """Yield the upstream files of all splits that were not imported in another layout."""
    for choice, splits in zip(request, origins, strict=True):
        names = [name for name, item in splits.items() if item.record is None]
        yield from jobs(choice.manifest, names)


def _unaccepted(
    request: Request, needed: Sequence[Job], fetcher: Fetcher, accept: Sequence[str]
) -> list[Manifest]:
    """Return the datasets that require accepting terms before the download.

    Datasets that must be downloaded by hand are left out unless a mirror has their files, because
    users accept the terms upstream.
    """
    fetched = {
        job.dataset
        for job in needed
        if fetcher.store.file(job.resource) is None and sources(job, fetcher.mirrors)
    }
    return [
        manifest
        for manifest in request.manifests
        if manifest.name in fetched and not are_accepted(manifest, fetcher.store, accept)
    ]
