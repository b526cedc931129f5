"""Open splits for the modules of this package, from the cache, local files or the network.

Other libraries keep their downloads in a folder that callers pass as `root`, `data_dir` or `path`.
dshub keeps its files in its own cache, which all projects share. It takes upstream files from the
folder if their checksums are right, never writes into it, and downloads only missing files.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from os import PathLike
from pathlib import Path

from dshub.cache.disk import disk_faults
from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.datasets.split_expressions import find_parts
from dshub.errors import DshubError, OfflineError
from dshub.hub.hub import Hub
from dshub.settings import Settings


def open_rows(
    name: str,
    split: str,
    *,
    root: str | PathLike[str] | None = None,
    folders: Sequence[str] = (),
    download: bool = True,
) -> Dataset:
    """Load rows of a dataset.

    Args:
        name: dataset.
        split: split expression.
        root: folder that can contain upstream files, which need not exist.
        folders: folders in `root` to search for upstream files, including their subfolders.
        download: whether missing files can be downloaded.

    Raises:
        DshubError: one of the errors of `Hub.load`, or `download` is False and files are missing.
    """
    settings = Settings.read() if download else Settings.read(offline=True)
    hub = Hub(settings=settings)
    manifest = hub.info(name)
    if root is not None and not manifest.synthetic and not _is_ready(hub, manifest, split):
        found = [*_local_files(manifest, Path(root).expanduser(), folders)]
        if found:
            hub.import_files(name, found)
    try:
        return hub.load(name, split=split)
    except OfflineError:
        if download:
            raise
        place = "the cache" if root is None else f"the cache or in {Path(root)}"
        raise DshubError(
            f"split {split} of {manifest.identifier} is not in {place}",
            hint=f"pass download=True, or run `dshub fetch {manifest.name}`",
        ) from None


def _is_ready(hub: Hub, manifest: Manifest, split: str) -> bool:
    """Return True if loading the split downloads nothing."""
    parts = find_parts(manifest.name, split, manifest.splits)
    splits = list(dict.fromkeys(part.split for part in parts))
    request = hub.resolve(manifest.identifier, splits=splits)
    return not hub.plan(request, files=False).missing


def _local_files(manifest: Manifest, root: Path, folders: Iterable[str]) -> Iterator[Path]:
    """Yield files in `root` that can be upstream files, and the folders to search.

    Only the folders are searched recursively, because `root` can hold many other datasets.
    """
    if not root.is_dir():
        return
    layouts = (layout.resources.values() for layout in manifest.layouts.values())
    resources = [*chain(manifest.resources.values(), *layouts)]
    names = {resource.name for resource in resources}
    sizes = {resource.size for resource in resources} - {None}
    with disk_faults(root, "read"):
        files = sorted(filter(Path.is_file, root.iterdir()))
        yield from (path for path in files if path.name in names or path.stat().st_size in sizes)
    yield from filter(Path.is_dir, (root / folder for folder in folders))
