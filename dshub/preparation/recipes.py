"""What decides a table's bytes."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from dshub import readers
from dshub.manifest import Join, Manifest, Match, Split
from dshub.readers import Reader

FORMAT = 1  # raised when the same rows would be written in another form


@dataclass(frozen=True)
class Recipe:
    """What decides a table's bytes, and the key under which it is kept."""

    content: dict[str, Any]
    key: str


def recipe(manifest: Manifest, split: str) -> Recipe:
    """The recipe of a split.

    Raises:
        UnknownNameError, ManifestError: its reader is unknown or refuses its options.
    """
    reader, facts = reader_of(manifest, split), manifest.splits[split]
    content: dict[str, Any] = {
        "format": FORMAT,
        "split": split,
        "files": {part: _identity(manifest, facts, part) for part in facts.files},
        "features": dict(manifest.split_features(split)),
        "reader": facts.reader,
        "revision": reader.revision,
    }
    if facts.layout:  # another layout may have another order
        content["layout"] = facts.layout
    if facts.steps:
        asked = [step for step in facts.steps if isinstance(step, Match | Join)]
        others = [readers.create(step.reader, place=f"{split}.steps").revision for step in asked]
        content |= {"steps": facts.steps, "step-revisions": others}
    data = msgspec.json.encode(content, order="sorted")
    return Recipe(msgspec.json.decode(data), hashlib.sha256(data).hexdigest()[:16])


def reader_of(manifest: Manifest, split: str) -> Reader:
    """The reader of a split; raises as `recipe`."""
    place = f"{manifest.identifier}, splits.{split}.reader"
    return readers.create(manifest.splits[split].reader, place=place)


def _identity(manifest: Manifest, facts: Split, part: str) -> list[Any]:
    """Which bytes a part's references mean: for one, checksum and member; a list of several."""
    found = []
    for reference in facts.references(part):
        resource, _, member = reference.partition(":")
        found.append([str(manifest.resources[resource].digest), member])
    return found[0] if isinstance(facts.files[part], str) else found
