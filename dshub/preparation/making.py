"""Making the tables of splits that have none yet."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dshub.errors import SchemaError
from dshub.layouts.holding import LocalFiles
from dshub.layouts.recognition import opened
from dshub.layouts.records import ImportRecord
from dshub.manifest import Manifest
from dshub.prefetch import prefetched
from dshub.preparation.origins import Origin
from dshub.preparation.reading import Archives, rows, skips
from dshub.preparation.recipes import Recipe, recipe
from dshub.progress import Progress, Silent, Task
from dshub.store import Store
from dshub.table import SUMS, Provenance, TableWriter

_AHEAD = 2  # batches that are read and made to fit while an earlier one is written


def make(
    origin: Origin,
    splits: Sequence[str],
    paths: Mapping[str, Path],
    store: Store,
    *,
    progress: Progress | None = None,
) -> None:
    """Make the tables of some splits of one origin, in order.

    An archive that several of them read is opened, and unpacked where it is compressed, once.
    What an interrupted process finished of a table, whole shards of it, is not made again.

    Args:
        origin: where the rows come from.
        splits: whose tables are missing.
        paths: the verified file of each resource, by its name.
        store: where the tables go.

    Raises:
        ReadError, UnsafeArchiveError: a file is not what its format promises.
        SchemaError: the rows do not fit the manifest. Splits before this one are done.
        StoreError: the cache cannot be written; what was imported has changed, or is gone.
    """
    manifest, progress = origin.manifest, progress or Silent()
    with ExitStack() as stack:
        local = None
        if origin.record is not None and origin.record.path:
            local = stack.enter_context(opened(origin.record, manifest))
        scratch = store.scratch_folder()
        files = stack.enter_context(
            Archives(manifest, paths, scratch=scratch, local=local, progress=progress)
        )
        maker = _Maker(origin, files, store, progress)
        for split in splits:
            maker.table(split, recipe(manifest, split))


@dataclass(frozen=True)
class _Maker:
    """What makes the tables of an origin."""

    origin: Origin
    files: Archives
    store: Store
    progress: Progress

    def table(self, split: str, made: Recipe) -> None:
        """Make the table of a split, unless another process has made it meanwhile."""
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


def _wrong_rows(manifest: Manifest, split: str, got: str) -> SchemaError:
    expected = f"{manifest.splits[split].rows:,} rows"
    return SchemaError(where=f"{manifest.name}, split {split}", expected=expected, got=got)
