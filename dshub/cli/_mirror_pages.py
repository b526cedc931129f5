"""The pages of a mirror, for people who look into it."""

from typing import TYPE_CHECKING

from dshub.cli import _screen
from dshub.errors import ManifestError, MissingExtraError, UnknownNameError

if TYPE_CHECKING:
    from dshub.hub import Hub
    from dshub.mirror.destinations import Destination
    from dshub.mirror.writing import Report


def write(hub: "Hub", place: "Destination", report: "Report") -> str | None:
    """Write the catalogue of what a mirror lists, where it is a folder; its first page.

    Raises:
        StoreError: the folder cannot be written, or holds another `index.html`.
    """
    from dshub.mirror.folder import FolderDestination

    names = [name for name in report.listed if _is_known(hub, name)]
    if not isinstance(place, FolderDestination) or not names:
        return None
    try:
        from dshub.web import build

        built = build(hub.registry, hub.store, place.root, names=names, progress=hub.progress)
    except MissingExtraError as error:
        _screen.note(f"no pages are written: {error.hint}")
        return None
    for line in built.notes:
        _screen.note(f"note: {line}")
    return str(built.first)


def _is_known(hub: "Hub", name: str) -> bool:
    try:
        hub.registry.manifest(name)
    except (UnknownNameError, ManifestError):
        return False
    return True
