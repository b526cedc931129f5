"""The pages of a mirror, for people who look into it."""

from pathlib import Path
from typing import TYPE_CHECKING

from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.errors import ManifestError, MissingExtraError, UnknownNameError

if TYPE_CHECKING:
    from dshub.hub.hub import Hub
    from dshub.publishing.mirror.destinations import Destination


def write(hub: "Hub", place: "Destination") -> str | None:
    """Write the catalogue of what a mirror lists, where it is a folder; its first page.

    The mirror's own manifests are shown, for others may have published from another registry.
    Another update may list more meanwhile, and be done with its pages first: then once more.

    Raises:
        StoreError: the folder cannot be written, or holds another `index.html`.
        ReadError, ChecksumError: the index is damaged.
    """
    from dshub.publishing.mirror.folder import FolderDestination

    if not isinstance(place, FolderDestination):
        return None
    registry = Registry([place.root / "registry"], built_in=False)
    first, shown = None, list[str]()
    while (names := _listed(place, registry)) and names != shown:
        first, shown = _built(hub, registry, place.root, names), names
    return first


def _listed(place: "Destination", registry: Registry) -> list[str]:
    """What the index lists now, as far as it can be shown."""
    from dshub.publishing.mirror.checking import read_index

    index = read_index(place)
    names = [entry.identifier for entry in index.datasets] if index is not None else []
    return [name for name in names if _is_known(registry, name)]


def _built(hub: "Hub", registry: Registry, root: Path, names: list[str]) -> str | None:
    """Write the pages; their first one, or None where Jinja2 is missing."""
    try:
        from dshub.publishing.site.build import build

        built = build(registry, hub.store, root, names=names, progress=hub.progress)
    except MissingExtraError as error:
        _screen.note(f"no pages are written: {error.hint}")
        return None
    for line in built.notes:
        _screen.note(f"note: {line}")
    return str(built.first)


def _is_known(registry: Registry, name: str) -> bool:
    try:
        registry.manifest(name)
    except (UnknownNameError, ManifestError):
        return False
    return True
