"""Which tables the manifests give today. The recipes of tables need readers, and those Arrow."""

from collections.abc import Iterable
from pathlib import Path

from dshub.errors import DshubError
from dshub.housekeeping.known import Known
from dshub.manifest import Manifest
from dshub.store import Store


def superseded(known: Known, tables: Iterable[tuple[str, Path]], store: Store) -> set[Path]:
    """Those of some tables that no manifest gives any more, so that no `load` finds them.

    A dataset that the registry does not know, or not whole, is not judged: its manifest may be
    used by its path, or be mended.

    Args:
        known: the manifests.
        tables: dataset and folder of each.
        store: where the files of stand-ins are.
    """
    found: dict[str, set[Path]] = {}
    for name, folder in tables:
        if known.registered.get(name) and name not in known.faulty:
            found.setdefault(name, set()).add(folder)
    gone = set()
    for name, folders in found.items():
        kept = [item for item in known.stand_ins.values() if item.name == name]
        usable = [item for item in kept if has_files(item, store)]
        keys = _keys([*known.registered[name], *usable], store)
        gone |= {folder for folder in folders if keys is not None and folder.name not in keys}
    return gone


def has_files(manifest: Manifest, store: Store) -> bool:
    """Whether all files of a stand-in are kept, so that it is found again."""
    files = manifest.resources.values()
    return all(store.blob(item.digest, item.size) is not None for item in files)


def is_prepared(manifest: Manifest, store: Store) -> bool:
    """Whether every split has its table."""
    from dshub.preparation.origins import find

    try:
        return all(find(manifest, split, store) is not None for split in manifest.splits)
    except DshubError:  # a reader is not at hand
        return False


def _keys(manifests: Iterable[Manifest], store: Store) -> set[str] | None:
    """The keys of all their tables; None where one has a reader that is not at hand."""
    from dshub.preparation.origins import keys

    try:
        return {
            key for item in manifests for split in item.splits for key in keys(item, split, store)
        }
    except DshubError:
        return None
