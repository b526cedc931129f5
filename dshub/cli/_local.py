"""Find and measure local files of the resources in a manifest."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dshub.cache.disk import disk_faults
from dshub.publishing import measuring


def find(names: Mapping[str, str], paths: Sequence[Path]) -> dict[str, Path]:
    """Return the first file with the name of each resource.

    Args:
        names: file name of each resource.
        paths: files, and folders to search recursively.
    """
    files = {
        name: next((path for top in paths for path in _named(top, file_name)), None)
        for name, file_name in names.items()
    }
    return {name: path for name, path in files.items() if path is not None}


def measure(path: Path) -> measuring.Measured:
    """Return the checksums and size of a file.

    Raises:
        StoreError: the file cannot be read.
    """
    with disk_faults(path, "read"):
        return measuring.measure(path)


def _named(top: Path, name: str) -> Iterator[Path]:
    if top.is_file():
        yield from [top] * (top.name == name)
    else:
        yield from (path for path in sorted(top.rglob("*")) if path.name == name and path.is_file())
