"""Plans: what fetching and preparing a request will do. Making one touches no network."""

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
    """Tables to make of one origin; splits of upstream's files are made together.

    Attributes:
        origin: where the rows come from.
        splits: whose tables are missing.
    """

    origin: Origin
    splits: tuple[str, ...]

    @property
    def jobs(self) -> list[Job]:
        """The files it reads."""
        return jobs(self.origin.manifest, self.splits)


@dataclass(frozen=True)
class Plan:
    """What `Hub.run` will do.

    Attributes:
        request: what was asked for.
        files: the upstream files to have, whether or not a table needs them.
        builds: the tables to make.
        cached: files that are here, each once.
        missing: files to fetch, each checksum once.
        table_size: bytes that the tables and what is unpacked for them take, estimated.
        free: bytes free for the cache; None where the system does not tell.
        terms: datasets with files to fetch whose terms nobody has accepted yet.
        problems: what will stop the run unless it is solved first, as the error it will raise.
        want_files, want_tables: what the plan was asked for, to make it again.
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
        """Bytes to fetch, as far as they are known."""
        return sum(job.resource.size or 0 for job in self.missing)


def make_plan(
    request: Request,
    fetcher: Fetcher,
    *,
    files: bool = True,
    tables: bool = True,
    accept: Sequence[str] = (),
) -> Plan:
    """The plan for a request.

    Args:
        request: datasets and splits.
        fetcher: knows the cache and the sources.
        files: have every upstream file of the splits, also where the table is ready.
        tables: make the tables that are missing.
        accept: datasets and families whose terms count as accepted.
    """
    store = fetcher.store
    origins = [
        {split: origin(choice.manifest, split, store) for split in choice.splits}
        for choice in request
    ]
    builds = tuple(_builds(origins, store)) if tables else ()
    upstream = tuple(_upstream(request, origins)) if files else ()
    wanted = list(dict.fromkeys([*upstream, *(job for build in builds for job in build.jobs)]))
    cached, missing = fetcher.sort(wanted)
    table_size = sum(build.origin.manifest.prepared_size(build.splits) for build in builds)
    unpacked = [_unpacked_size(build) for build in builds]
    table_size += max(unpacked, default=0)  # one dataset after another
    terms = tuple(_unaccepted(request, wanted, fetcher, accept))
    problems: list[DshubError] = [terms_error(terms)] if terms else []
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
        problems=tuple([*problems, problem] if problem else problems),
        want_files=files,
        want_tables=tables,
    )


def terms_error(manifests: Sequence[Manifest]) -> TermsError:
    """The error for terms that nobody has accepted."""
    return TermsError(terms={item.name: item.license.terms or "" for item in manifests})


def _unpacked_size(build: Build) -> int:
    """Bytes, at least, that archives take on disk meanwhile that are unpacked as a whole.

    An archive tells its size only when it has been read; few are larger packed than unpacked.
    """
    resources = build.origin.manifest.split_resources(build.splits).values()
    containers = [(archives.container_for(item.name), item.size or 0) for item in resources]
    return sum(size for kind, size in containers if kind is not None and kind.stream is not None)


_Origins = Sequence[Mapping[str, Origin]]  # of each choice, by split


def _builds(origins: _Origins, store: Store) -> Iterator[Build]:
    """The tables that are missing: splits of upstream's files together, each import alone."""
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
    """The upstream files of all splits that were not imported in another form."""
    for choice, splits in zip(request, origins, strict=True):
        names = [name for name, item in splits.items() if item.record is None]
        yield from jobs(choice.manifest, names)


def _unaccepted(
    request: Request, wanted: Sequence[Job], fetcher: Fetcher, accept: Sequence[str]
) -> list[Manifest]:
    """Datasets with files to fetch whose terms nobody has accepted.

    A file that only a person can obtain is fetched from a mirror or not at all: without one,
    its terms are between that person and upstream.
    """
    fetched = {
        job.dataset for job in wanted if fetcher.path(job) is None and sources(job, fetcher.mirrors)
    }
    return [
        manifest
        for manifest in request.manifests
        if manifest.name in fetched and not are_accepted(manifest, fetcher.store, accept)
    ]
