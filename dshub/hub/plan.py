"""Plan what fetching and preparing a request will do, without touching the network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dshub import archives
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job, jobs, sources
from dshub.errors import DshubError, TermsError
from dshub.hub.request import Request
from dshub.hub.terms import are_accepted
from dshub.tables.recipe import Origin, origin, table_of


@dataclass(frozen=True)
class Build:
    """Tables to make from one origin.

    Attributes:
        origin: where the rows come from.
        splits: the splits without a table.
    """

    origin: Origin
    splits: tuple[str, ...]

    @property
    def jobs(self) -> list[Job]:
        """The files it reads."""
        return jobs(self.origin.manifest, self.splits)


@dataclass(frozen=True)
class Plan:
    """The work of `Hub.run`.

    Attributes:
        request: the datasets and splits.
        files: upstream files to have, whether or not a table needs them.
        builds: tables to make.
        cached: files in the cache, each once.
        missing: files to download, each checksum once.
        table_size: estimated bytes of the tables and of what is unpacked for them.
        free: bytes free for the cache; None if unknown.
        terms: datasets to download whose terms are not accepted yet.
        problems: the errors that `run` will raise unless they are solved first.
        want_files, want_tables: the arguments of the plan, for making it again.
    """

    request: Request
    files: tuple[Job, ...]
    builds: tuple[Build, ...]
    cached: tuple[Job, ...]
    missing: tuple[Job, ...]
    table_size: int
    free: int | None
    terms: tuple[Manifest, ...]
    problems: tuple[DshubError, ...]
    want_files: bool
    want_tables: bool

    @property
    def size(self) -> int:
        """Bytes to download, without files of unknown size."""
        return sum(job.resource.size or 0 for job in self.missing)


def make_plan(
    request: Request,
    fetcher: Fetcher,
    *,
    files: bool = True,
    tables: bool = True,
    accept: Sequence[str] = (),
) -> Plan:
    """Make the plan for a request.

    Args:
        request: datasets and splits.
        fetcher: knows the cache and the sources.
        files: have every upstream file of the splits, even if the table is ready.
        tables: make missing tables.
        accept: datasets and families whose terms count as accepted.
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
    table_size += max(map(_unpacked_size, builds), default=0)  # one build after another
    terms = tuple(_unaccepted(request, needed, fetcher, accept))
    problem = fetcher.problem(missing, reserve=table_size)
    return Plan(
        request=request,
        files=upstream,
        builds=builds,
        cached=tuple(cached),
        missing=tuple(missing),
        table_size=table_size,
        free=store.free(),
        terms=terms,
        problems=tuple(filter(None, [terms_error(terms) if terms else None, problem])),
        want_files=files,
        want_tables=tables,
    )


def terms_error(manifests: Sequence[Manifest]) -> TermsError:
    """Return the error for terms that are not accepted."""
    return TermsError(terms={item.name: item.license.terms or "" for item in manifests})


def _unpacked_size(build: Build) -> int:
    """Return the packed size of archives that must be unpacked as a whole, as an estimate."""
    resources = build.origin.manifest.split_resources(build.splits).values()
    containers = [(archives.container_for(item.name), item.size or 0) for item in resources]
    return sum(size for kind, size in containers if kind is not None and kind.stream is not None)


_Origins = Sequence[Mapping[str, Origin]]  # of each dataset, by split


def _builds(origins: _Origins, store: Store) -> Iterator[Build]:
    """Yield missing tables: splits of upstream files together, each import by itself."""
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
    """Return datasets to download whose terms are not accepted.

    A file to obtain by hand counts only if a mirror has it: otherwise the user accepts its terms
    upstream.
    """
    fetched = {
        job.dataset for job in needed if fetcher.path(job) is None and sources(job, fetcher.mirrors)
    }
    return [
        manifest
        for manifest in request.manifests
        if manifest.name in fetched and not are_accepted(manifest, fetcher.store, accept)
    ]
