"""Where a split comes from: upstream's files, or a layout in which a person imported it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dshub.layouts.records import ImportRecord, imports
from dshub.manifest import LOCAL, Manifest, Resource
from dshub.preparation.recipes import recipe
from dshub.store import Store


@dataclass(frozen=True)
class Origin:
    """One way to the rows of a split.

    Attributes:
        manifest: the dataset's, as the split is read in this way.
        record: of the import; None for upstream's files.
    """

    manifest: Manifest
    record: ImportRecord | None = None


def origin(manifest: Manifest, split: str, store: Store) -> Origin:
    """The way that a split is taken, or was taken where its table is there.

    A table that is there comes first; then upstream's files, if they are here; then what was
    imported. Where nothing is here, upstream's files are to be fetched, unless a person alone
    can get them and has imported the split: the import is then the thing to be looked at.
    """
    options = list(origins(manifest, split, store))
    prepared = (item for item in options if table_of(item, split, store) is not None)
    here = (item for item in options if _is_here(item, split, store))
    found = next(prepared, None) or next(here, None)
    if found is not None or len(options) == 1:
        return found or options[0]
    alone = any(not resource.urls for resource in _resources(manifest, split))
    return options[1] if alone else options[0]


def origins(manifest: Manifest, split: str, store: Store) -> Iterator[Origin]:
    """Every way there is: upstream's files first."""
    yield Origin(manifest)
    if manifest.layouts:
        for record in imports(store, manifest, split):
            yield Origin(record.manifest(manifest), record)


def find(manifest: Manifest, split: str, store: Store) -> Path | None:
    """The folder of a split's table, or None if it has to be prepared."""
    found = (table_of(item, split, store) for item in origins(manifest, split, store))
    return next((folder for folder in found if folder is not None), None)


def keys(manifest: Manifest, split: str, store: Store) -> list[str]:
    """The keys that a split's table can have: one for each way to it."""
    return [recipe(item.manifest, split).key for item in origins(manifest, split, store)]


def table_of(item: Origin, split: str, store: Store) -> Path | None:
    """The folder of the table that an origin gives, or None if it has to be prepared."""
    return store.table(item.manifest.name, recipe(item.manifest, split).key)


def _is_here(item: Origin, split: str, store: Store) -> bool:
    """Whether its files are on this machine."""
    if item.record is not None and item.record.path and not Path(item.record.path).exists():
        return False
    return all(
        store.blob(resource.digest, resource.size) is not None
        or (resource.content_digest is not None and store.blob(resource.content_digest) is not None)
        for resource in _resources(item.manifest, split)
    )


def _resources(manifest: Manifest, split: str) -> list[Resource]:
    """The files with checksums that a split needs."""
    resources = manifest.split_resources((split,))
    return [resource for name, resource in resources.items() if name != LOCAL]
