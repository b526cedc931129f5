"""Recipes, which identify tables, and origins, which provide their rows."""

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

FORMAT = 1  # increase if the same rows are written differently

REVISIONS: dict[str, int] = {}
"""Revisions of built-in formats. A format that is not listed has revision 1.

They are listed here so that finding a table does not import its reader.
"""


@dataclass(frozen=True)
class Recipe:
    """The inputs that determine a table's bytes, and the table's key in the cache."""

    content: dict[str, Any]
    key: str


def recipe(manifest: Manifest, split: str) -> Recipe:
    """Return the recipe of a split.

    Raises:
        UnknownNameError, ManifestError: a reader from another package is not installed, or
            rejects its options.
    """
    facts = manifest.splits[split]
    content: dict[str, Any] = {
        "format": FORMAT,
        "split": split,
        "files": {part: _identify(manifest, facts, part) for part in facts.files},
        "features": dict(manifest.split_features(split)),
        "reader": facts.reader,
        "revision": _revision(facts.reader, f"{manifest.identifier}, splits.{split}.reader"),
    }
    if facts.layout:  # layouts can differ in row order
        content["layout"] = facts.layout
    if facts.steps:
        readers = [step.reader for step in facts.steps if isinstance(step, Match | Join)]
        revisions = [_revision(reader, f"{split}.steps") for reader in readers]
        content |= {"steps": facts.steps, "step-revisions": revisions}
    data = msgspec.json.encode(content, order="sorted")
    return Recipe(msgspec.json.decode(data), hashlib.sha256(data).hexdigest()[:16])


def _revision(options: Mapping[str, Any], place: str) -> int:
    """Return the revision of a reader; import the reader only if it is not built in."""
    name = options["format"]
    if name in plugins.built_in("formats"):
        return REVISIONS.get(name, 1)
    from dshub.formats import create

    return getattr(create(options, place=place), "revision", 1)


def _identify(manifest: Manifest, facts: Split, part: str) -> list[Any]:
    """Return the checksum and member of a part's reference, or a list for several references."""
    pairs = []
    for reference in facts.references(part):
        resource, _, member = reference.partition(":")
        facts_of_file = manifest.resources[resource]
        pairs.append([str(facts_of_file.digest), member, *facts_of_file.encodings])
    return pairs[0] if isinstance(facts.files[part], str) else pairs


@dataclass(frozen=True)
class Origin:
    """A source of a split's rows.

    Attributes:
        manifest: manifest of the dataset, with the split as this origin reads it.
        record: record of the import, or None for upstream files.
    """

    manifest: Manifest
    record: ImportRecord | None = None


def origin(manifest: Manifest, split: str, store: Store) -> Origin:
    """Choose the origin of a split.

    An existing table has priority, then cached upstream files, then imported files. If none of
    these exist, the origin is a download of the upstream files. If some upstream files require a
    manual download and the split was imported, the origin is the import, so that errors refer to
    the import.
    """
    options = list(origins(manifest, split, store))
    prepared = (item for item in options if table_of(item, split, store) is not None)
    here = (item for item in options if _is_here(item, split, store))
    chosen = next(prepared, None) or next(here, None)
    if chosen is not None or len(options) == 1:
        return chosen or options[0]
    by_hand = any(not resource.urls for resource in _resources(manifest, split))
    return options[1] if by_hand else options[0]


def origins(manifest: Manifest, split: str, store: Store) -> Iterator[Origin]:
    """Yield every origin of a split, starting with upstream files."""
    yield Origin(manifest)
    if manifest.layouts:
        for record in imports(store, manifest, split):
            yield Origin(record.manifest(manifest), record)


def find(manifest: Manifest, split: str, store: Store) -> Path | None:
    """Return the folder of a split's table, or None if it must be prepared."""
    folders = (table_of(item, split, store) for item in origins(manifest, split, store))
    return next(filter(None, folders), None)


def keys(manifest: Manifest, split: str, store: Store) -> list[str]:
    """Return the key of a split's table for each of its origins."""
    return [recipe(item.manifest, split).key for item in origins(manifest, split, store)]


def table_of(item: Origin, split: str, store: Store) -> Path | None:
    """Return the folder of the table from one origin, or None if it must be prepared."""
    return store.table(item.manifest.name, recipe(item.manifest, split).key)


def _is_here(item: Origin, split: str, store: Store) -> bool:
    """Return True if the files of an origin are on this machine."""
    if item.record is not None and item.record.path and not Path(item.record.path).exists():
        return False
    return all(map(store.file, _resources(item.manifest, split)))


def _resources(manifest: Manifest, split: str) -> list[Resource]:
    """Return the resources of a split that have checksums."""
    resources = manifest.split_resources((split,))
    return [resource for name, resource in resources.items() if name != LOCAL]
