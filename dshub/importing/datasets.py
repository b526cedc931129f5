"""Taking a dataset from what a person has: upstream's files, or any layout of its manifest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest, Resource, laid_out
from dshub.download.sources import Job, jobs
from dshub.importing.files import Imported, Keep, Unlike, look
from dshub.importing.holding import Holding
from dshub.importing.recognition import recognise
from dshub.importing.records import keep as keep_record
from dshub.progress import Progress


@dataclass(frozen=True)
class Recognised:
    """A layout that was found.

    Attributes:
        layout: its name.
        split: whose rows it has.
        title: what it is.
        path: the folder or archive; None where its files have checksums.
        files: how many.
        size: bytes of them.
        faults: why it cannot be used; empty where it was taken.
    """

    layout: str
    split: str
    title: str
    path: Path | None
    files: int
    size: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportReport:
    """What became of a dataset.

    Attributes:
        dataset: its name.
        files: what was taken, and files that are called like one but are not.
        layouts: those that were taken, and for a split that has none what was found of one.
        missing: the files of upstream's that lack for a split which is in no layout either.
        splits: for each split whether it can be prepared now.
    """

    dataset: str
    files: tuple[Imported | Unlike, ...]
    layouts: tuple[Recognised, ...]
    missing: tuple[Job, ...]
    splits: dict[str, bool]

    @property
    def complete(self) -> bool:
        """Whether every split can be prepared now."""
        return all(self.splits.values())


def import_dataset(
    manifest: Manifest,
    store: Store,
    paths: Sequence[Path],
    *,
    keep: Keep = "auto",
    progress: Progress | None = None,
) -> ImportReport:
    """Take what some files and folders hold of a dataset.

    Files of upstream's come first. A split for which they do not suffice is looked for in the
    layouts of the manifest, in their order; of those that are complete the first is noted in the
    cache, and the split is then prepared from where it lies.

    Raises:
        StoreError: a path does not exist, a file or folder that may be wanted cannot be read, or
            the cache cannot be written.
    """
    at_work = _Import(manifest, store, paths, keep, progress)
    files = at_work.take(jobs(manifest, [*manifest.splits]))
    lacking = [split for split in manifest.splits if not _is_here(manifest, split, store)]
    layouts: list[Recognised] = []
    if lacking:
        taken, layouts = at_work.take_layouts(lacking)
        files += taken
    found = {item.split for item in layouts if not item.faults}
    splits = {split: split not in lacking or split in found for split in manifest.splits}
    short = [split for split, here in splits.items() if not here]
    needed = jobs(manifest, short)
    missing = [job for job in needed if store.file(job.resource) is None]
    return ImportReport(manifest.name, tuple(files), tuple(layouts), tuple(missing), splits)


def _is_here(manifest: Manifest, split: str, store: Store) -> bool:
    return all(store.file(job.resource) for job in jobs(manifest, [split]))


@dataclass(frozen=True)
class _Import:
    """An import under way."""

    manifest: Manifest
    store: Store
    paths: Sequence[Path]
    keep: Keep
    progress: Progress | None

    def take(self, files: Sequence[Job]) -> list[Imported | Unlike]:
        """Take those of some files that are not here yet."""
        wanted = [job for job in files if self.store.file(job.resource) is None]
        if not wanted:
            return []
        return look(self.store, wanted, self.paths, keep=self.keep, progress=self.progress)

    def take_layouts(
        self, splits: Sequence[str]
    ) -> tuple[list[Imported | Unlike], list[Recognised]]:
        """For each split the layout that was taken, or all that was found where none is whole."""
        manifest = self.manifest
        names = [name for name, item in manifest.layouts.items() if item.split in splits]
        wanted = {
            job.resource.digest: job
            for name in names
            for job in jobs(laid_out(manifest, name, _ANY), [manifest.layouts[name].split])
        }
        files = [
            item
            for item in self.take(list(wanted.values()))
            if isinstance(item, Imported) or item.job.name not in manifest.resources
        ]
        holdings = {item.layout: item for item in recognise(manifest, self.paths)}
        found = [item for name in names for item in self._judge(name, holdings.get(name))]
        kept: list[Recognised] = []
        for split in splits:
            of_split = [item for item in found if item.split == split]
            whole = [item for item in of_split if not item.faults][:1]
            for item in whole:
                keep_record(self.store, manifest, item.layout, holdings.get(item.layout))
            kept += whole or of_split
        return files, kept

    def _judge(self, name: str, holding: Holding | None) -> Iterator[Recognised]:
        """What was found of a layout, if anything was."""
        layout = self.manifest.layouts[name]
        wanted = jobs(laid_out(self.manifest, name, _ANY), [layout.split])
        here = [job for job in wanted if self.store.file(job.resource)]
        if holding is None and (layout.local_members or not here):
            return
        faults = [f"{job.title} is missing" for job in wanted if job not in here]
        files, size = len(here), sum(job.resource.size or 0 for job in here)
        if holding is not None:
            from dshub.importing.assessment import assess  # takes readers, and those Arrow

            faults += assess(self.manifest, holding)
            files, size = len(holding.files), holding.size
        path = None if holding is None else holding.path / holding.prefix
        yield Recognised(name, layout.split, layout.title, path, files, size, tuple(faults))


_ANY = Resource()  # in the place of what has no checksum, where only the other files matter
