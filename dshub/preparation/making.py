"""Making the tables of splits that have none yet."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dshub import archives
from dshub.errors import DiskFullError, SchemaError
from dshub.fetcher import Fetcher, jobs
from dshub.layouts import ImportRecord, LocalFiles, opened
from dshub.manifest import Manifest
from dshub.prefetch import prefetched
from dshub.preparation.origins import Origin, origin
from dshub.preparation.reading import Archives, rows, skips
from dshub.preparation.recipes import Recipe, recipe
from dshub.progress import Progress, Silent, Task, size
from dshub.store import Store, table_path
from dshub.table import SUMS, Provenance, TableWriter

_AHEAD = 2  # batches that are read and made to fit while an earlier one is written


def prepare(
    manifest: Manifest, split: str, fetcher: Fetcher, *, progress: Progress | None = None
) -> Path:
    """The folder of a split's table, made now if it is not there; raises as `prepare_splits`."""
    return prepare_splits(manifest, [split], fetcher, progress=progress)[0]


def prepare_splits(
    manifest: Manifest,
    splits: Sequence[str],
    fetcher: Fetcher,
    *,
    progress: Progress | None = None,
) -> list[Path]:
    """The folder of each split's table; those that are not there are made now, in order.

    An archive that several of them read is opened, and unpacked where it is compressed, once.
    What an interrupted process finished of a table, whole shards of it, is not made again.

    Raises:
        FetchError and its kinds: a file cannot be had.
        ChecksumError: a file that another user put into the cache is not the published one.
        ReadError, UnsafeArchiveError: a file is not what its format promises.
        SchemaError: the rows do not fit the manifest. Splits before this one are done.
        StoreError: the cache cannot be written; what was imported has changed, or is gone.
    """
    store = fetcher.store
    origins = {split: origin(manifest, split, store) for split in splits}
    recipes = {split: recipe(item.manifest, split) for split, item in origins.items()}
    found = {split: store.table(manifest.name, made.key) for split, made in recipes.items()}
    for folder in filter(None, found.values()):
        store.touch(folder)
    missing = {split: origins[split] for split, folder in found.items() if folder is None}
    for item, group in _groups(missing):
        group_recipes = {split: recipes[split] for split in group}
        found |= _make(item, group_recipes, fetcher, progress or Silent())
    return [folder for folder in found.values() if folder is not None]


def _groups(missing: dict[str, Origin]) -> list[tuple[Origin, list[str]]]:
    """The splits of upstream's files together, each import by itself."""
    upstream = [split for split, item in missing.items() if item.record is None]
    found = [(missing[upstream[0]], upstream)] if upstream else []
    return found + [(item, [split]) for split, item in missing.items() if item.record is not None]


def _make(
    item: Origin, recipes: dict[str, Recipe], fetcher: Fetcher, progress: Progress
) -> dict[str, Path]:
    manifest, store = item.manifest, fetcher.store
    besides = manifest.prepared_size(tuple(recipes)) + unpacked_size(manifest, [*recipes])
    fetched = fetcher.fetch(jobs(manifest, [*recipes]), besides=besides)
    fetcher.check(fetched)
    paths = {item.job.name: item.path for item in fetched}
    _check_space(besides, store)
    with ExitStack() as stack:
        local = None
        if item.record is not None and item.record.path:
            local = stack.enter_context(opened(item.record, manifest))
        scratch = store.scratch_folder()
        files = stack.enter_context(
            Archives(manifest, paths, scratch=scratch, local=local, progress=progress)
        )
        maker = _Maker(item, files, store, progress)
        return {split: maker.table(split, made) for split, made in recipes.items()}


def unpacked_size(manifest: Manifest, splits: Sequence[str]) -> int:
    """Bytes, at least, that archives take on disk meanwhile which are unpacked as a whole.

    An archive tells its size only when it has been read; few are larger packed than unpacked.
    """
    total = 0
    for resource in manifest.split_resources(tuple(splits)).values():
        packing = archives.container_for(resource.name)
        if packing is not None and packing.stream is not None:
            total += resource.size or 0
    return total


@dataclass(frozen=True)
class _Maker:
    """What makes the tables of an origin."""

    origin: Origin
    files: Archives
    store: Store
    progress: Progress

    def table(self, split: str, made: Recipe) -> Path:
        """The folder of a split's table, which another process may have made meanwhile."""
        manifest, store = self.origin.manifest, self.store
        title = f"{manifest.name} {split}"
        with store.table_lock(
            manifest.name,
            made.key,
            waiting=lambda other: self.progress.say(
                f"{title} is being prepared by {other}; waiting"
            ),
        ) as owned:
            if store.table(manifest.name, made.key) is None:
                with store.new_table(manifest.name, made.key, orphans=owned) as folder:
                    self._fill(folder, split, made)
        return store.root / table_path(manifest.name, made.key)

    def _fill(self, folder: Path, split: str, made: Recipe) -> None:
        manifest, local = self.origin.manifest, self.files.local
        stamp, sums = "", folder / SUMS
        if local is not None:
            stamp = local.holding.stamp
            local.sums.read(sums)
        with TableWriter(folder, manifest, split) as writer:
            if local is not None:
                writer.before_shard = lambda: local.sums.append(sums)
            writer.resume(stamp)
            self._write(split, writer)
            provenance = None
            if local is not None and self.origin.record is not None:
                provenance = self._provenance(local, self.origin.record, sums)
            writer.close(made.content, provenance)

    def _provenance(self, local: LocalFiles, record: ImportRecord, sums: Path) -> Provenance:
        """Hash what no row has come from, and note what was read."""
        local.read_rest()
        digest = local.sums.write(sums, local.holding.files)
        return Provenance(
            layout=record.layout,
            title=self.origin.manifest.layouts[record.layout].title,
            path=record.path,
            files=record.files,
            size=record.size,
            sums=digest,
        )

    def _write(self, split: str, writer: TableWriter) -> None:
        manifest, promised = self.origin.manifest, self.origin.manifest.splits[split].rows
        begun = writer.rows
        if begun:
            self._say_resumed(split, begun)
        title = f"preparing {manifest.name} {split}"
        made = rows(manifest, split, self.files, first=begun)  # unpacks, with a bar of its own
        with (
            Task(self.progress, title, promised, unit="rows") as task,
            prefetched(made, most=_AHEAD) as batches,
        ):
            task.advance(begun)
            for batch in batches:
                writer.write(batch)
                task.advance(batch.num_rows)
                if writer.rows > promised:
                    raise _wrong_rows(manifest, split, f"more than {promised:,} rows")
            if writer.rows != promised:
                raise _wrong_rows(manifest, split, f"{writer.rows:,} rows")

    def _say_resumed(self, split: str, begun: int) -> None:
        manifest = self.origin.manifest
        told = f"an interrupted run left {begun:,} rows of {manifest.name} {split}; going on"
        again = "" if skips(manifest, split) else ", once what comes before was read again"
        self.progress.say(told + again)


def _check_space(needed: int, store: Store) -> None:
    free = store.free()
    if free is not None and needed > free:
        reason = f"{size(needed)} are to be written and {size(free)} are free"
        raise DiskFullError(path=str(store.root), reason=reason)


def _wrong_rows(manifest: Manifest, split: str, got: str) -> SchemaError:
    expected = f"{manifest.splits[split].rows:,} rows"
    return SchemaError(where=f"{manifest.name}, split {split}", expected=expected, got=got)
