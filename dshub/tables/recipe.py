"""Recipes and origins: what decides a table's bytes, and where its rows come from.

What decides a table's bytes.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dshub import plugins
from dshub.cache.store import Store
from dshub.catalog.manifest import LOCAL, Join, Manifest, Match, Resource, Split
from dshub.importing.records import ImportRecord, imports

FORMAT = 1  # raised when the same rows would be written in another form

REVISIONS: dict[str, int] = {}
"""Built-in formats whose reader yields other rows than in its first release, with a number that
is raised by hand; the others are at 1. Kept here so that finding a table imports no reader."""


@dataclass(frozen=True)
class Recipe:
    """What decides a table's bytes, and the key under which it is kept."""

    content: dict[str, Any]
    key: str


def recipe(manifest: Manifest, split: str) -> Recipe:
    """The recipe of a split.

    Raises:
        UnknownNameError, ManifestError: another package's reader is not installed or refuses its
            options.
    """
    facts = manifest.splits[split]
    content: dict[str, Any] = {
        "format": FORMAT,
        "split": split,
        "files": {part: _identity(manifest, facts, part) for part in facts.files},
        "features": dict(manifest.split_features(split)),
        "reader": facts.reader,
        "revision": _revision(facts.reader, f"{manifest.identifier}, splits.{split}.reader"),
    }
    if facts.layout:  # another layout may have another order
        content["layout"] = facts.layout
    if facts.steps:
        asked = [step for step in facts.steps if isinstance(step, Match | Join)]
        others = [_revision(step.reader, f"{split}.steps") for step in asked]
        content |= {"steps": facts.steps, "step-revisions": others}
    data = msgspec.json.encode(content, order="sorted")
    return Recipe(msgspec.json.decode(data), hashlib.sha256(data).hexdigest()[:16])


def _revision(options: Mapping[str, Any], place: str) -> int:
    """The revision of a reader; only that of another package is imported."""
    name = options["format"]
    if name in plugins.built_in("formats"):
        return REVISIONS.get(name, 1)
    from dshub.formats import create

    return getattr(create(options, place=place), "revision", 1)


def _identity(manifest: Manifest, facts: Split, part: str) -> list[Any]:
    """Which bytes a part's references mean: for one, checksum and member; a list of several."""
    found = []
    for reference in facts.references(part):
        resource, _, member = reference.partition(":")
        found.append([str(manifest.resources[resource].digest), member])
    return found[0] if isinstance(facts.files[part], str) else found


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
