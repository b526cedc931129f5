"""Import a dataset from local files: the upstream files, or a layout in its manifest."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest, Resource, laid_out
from dshub.download.sources import Job, jobs
from dshub.importing.files import Imported, Keep, Mismatch, import_files
from dshub.importing.holding import Holding
from dshub.importing.recognition import recognize
from dshub.importing.records import note_import
from dshub.progress import Progress

Match = Callable[[Sequence[Job]], list[Imported | Mismatch]]

_ANY = Resource()  # placeholder for files without a checksum


@dataclass(frozen=True)
class Recognized:
    """A layout that matches local files.

    Attributes:
        layout: name of the layout.
        split: name of the split in the layout.
        title: title of the layout.
        path: folder or archive with the files; None if all files have checksums.
        files: number of files.
        size: total size of the files in bytes.
        faults: reasons why the layout cannot be used; empty if it was imported.
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
    """The result of importing a dataset.

    Attributes:
        dataset: name of the dataset.
        files: imported files and mismatches.
        layouts: imported layouts; for splits without one, the incomplete layouts.
        missing: missing upstream files of splits that cannot be prepared.
        splits: whether each split can be prepared now.
    """

    dataset: str
    files: tuple[Imported | Mismatch, ...]
    layouts: tuple[Recognized, ...]
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
    """Import a dataset from files and folders.

    Upstream files have priority. For each split that is still incomplete, the first complete layout
    in the manifest is recorded in the cache. The split is then prepared from the layout's location.

    Raises:
        StoreError: a path does not exist, a candidate file or folder cannot be read, or the cache
            cannot be written.
    """
    match = partial(import_files, store, paths=paths, keep=keep, progress=progress)
    files = match(_missing(jobs(manifest, [*manifest.splits]), store))
    lacking = [split for split in manifest.splits if _missing(jobs(manifest, [split]), store)]
    layouts: list[Recognized] = []
    if lacking:
        holdings = {item.layout: item for item in recognize(manifest, paths)}
        more, layouts = _import_layouts(manifest, store, lacking, holdings, match)
        files += more
    imported = {item.split for item in layouts if not item.faults}
    splits = {split: split not in lacking or split in imported for split in manifest.splits}
    short = [split for split, here in splits.items() if not here]
    missing = _missing(jobs(manifest, short), store)
    return ImportReport(manifest.name, tuple(files), tuple(layouts), tuple(missing), splits)


def _missing(files: Iterable[Job], store: Store) -> list[Job]:
    return [job for job in files if store.file(job.resource) is None]


def _import_layouts(
    manifest: Manifest,
    store: Store,
    splits: Sequence[str],
    holdings: dict[str, Holding],
    match: Match,
) -> tuple[list[Imported | Mismatch], list[Recognized]]:
    """Import the first complete layout of each split, or report its incomplete layouts."""
    needed = {
        name: jobs(laid_out(manifest, name, _ANY), [layout.split])
        for name, layout in manifest.layouts.items()
        if layout.split in splits
    }
    distinct = {job.resource.digest: job for files in needed.values() for job in files}
    files = [
        item
        for item in match(_missing(distinct.values(), store))
        if isinstance(item, Imported) or item.job.name not in manifest.resources
    ]
    judged = [_judge(manifest, name, needed[name], holdings.get(name), store) for name in needed]
    layouts: list[Recognized] = []
    for split in splits:
        of_split = [item for item in judged if item is not None and item.split == split]
        complete = [item for item in of_split if not item.faults][:1]
        for item in complete:
            note_import(store, manifest, item.layout, holdings.get(item.layout))
        layouts += complete or of_split
    return files, layouts


def _judge(
    manifest: Manifest, name: str, needed: list[Job], holding: Holding | None, store: Store
) -> Recognized | None:
    """Return a report on the files of a layout, or None if there are none."""
    layout, missing = manifest.layouts[name], _missing(needed, store)
    here = [job for job in needed if job not in missing]
    if holding is None and (layout.local_members or not here):
        return None
    faults = [f"{job.title} is missing" for job in missing]
    path, files, size = None, len(here), sum(job.resource.size or 0 for job in here)
    if holding is not None:
        from dshub.importing.assessment import assess  # imported here, because it imports Arrow

        faults += assess(manifest, holding)
        path, files, size = holding.path / holding.prefix, len(holding.files), holding.size
    return Recognized(name, layout.split, layout.title, path, files, size, tuple(faults))
