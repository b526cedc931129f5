"""Files that a person names, found for the resources of a manifest."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dshub.errors import StoreError
from dshub.publishing.pinning import Measured, measure


def found(names: Mapping[str, str], paths: Sequence[Path]) -> dict[str, Path]:
    """The file of each resource, for those that are among some files or below some folders.

    Args:
        names: the file name of each resource.
        paths: files and folders.
    """
    candidates = {
        name: next((path for top in paths for path in _named(top, file_name)), None)
        for name, file_name in names.items()
    }
    return {name: path for name, path in candidates.items() if path is not None}


def measured(names: Mapping[str, str], paths: Sequence[Path]) -> Iterator[tuple[str, Measured]]:
    """What each resource's file is, for those that are found.

    Raises:
        StoreError: one of them cannot be read.
    """
    for name, path in found(names, paths).items():
        try:
            yield name, measure(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(path=str(path), action="read", reason=reason) from error


def _named(top: Path, name: str) -> Iterator[Path]:
    if top.is_file():
        yield from [top] * (top.name == name)
    else:
        yield from (path for path in sorted(top.rglob("*")) if path.name == name and path.is_file())
