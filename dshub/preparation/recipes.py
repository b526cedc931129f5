"""What decides a table's bytes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from dshub import plugins
from dshub.manifest import Join, Manifest, Match, Split

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
    if name in plugins.built_in("readers"):
        return REVISIONS.get(name, 1)
    from dshub.readers import create

    return getattr(create(options, place=place), "revision", 1)


def _identity(manifest: Manifest, facts: Split, part: str) -> list[Any]:
    """Which bytes a part's references mean: for one, checksum and member; a list of several."""
    found = []
    for reference in facts.references(part):
        resource, _, member = reference.partition(":")
        found.append([str(manifest.resources[resource].digest), member])
    return found[0] if isinstance(facts.files[part], str) else found
