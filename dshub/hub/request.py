"""Requests for datasets and splits, with resolved manifests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dshub.datasets.split_expressions import find_split
from dshub.errors import ArgumentError

if TYPE_CHECKING:  # avoids importing the manifest parser to list datasets
    from dshub.catalog.manifest import Manifest
    from dshub.catalog.registry import Registry


def name_and_split(text: str) -> tuple[str, str | None]:
    """Divide `NAME:SPLIT` into a name and a split expression, or None.

    Colons in addresses, in paths of manifests and after `hf:` belong to the name.
    """
    if "://" in text:
        return text, None
    start = len("hf:") if text.startswith("hf:") else 0
    start = max(start, text.rfind(".toml"))
    name, _, split = text[start:].partition(":")
    return text[:start] + name, split or None


def positional(
    registry: "Registry", name: str, parts: Sequence[Any], split: Any
) -> tuple[str, Any]:
    """Return name and split from the positional arguments of `load`.

    Args:
        registry: registry of datasets and families.
        name: dataset or family.
        parts: positional arguments after the name: a member of the family, a split, or both.
        split: split that was passed as a keyword, or None.

    Raises:
        ArgumentError: there are too many arguments.
    """
    texts = [part for part in parts if part is not None]
    if len(texts) + (split is not None) > 2:
        expected = "at most a member of a family and one split after the name"
        raise ArgumentError(name="split", value=[*texts, split], expected=expected)
    if split is None and texts and (len(texts) == 2 or not _is_member(registry, name, texts[0])):
        split = texts.pop()
    if texts:
        return f"{name}/{texts[0]}", split
    return (name, split) if split is not None else name_and_split(name)


def _is_member(registry: "Registry", family: str, name: object) -> bool:
    """Return True if `family` is not a dataset, and has a member with this name."""
    if not isinstance(name, str) or family.startswith("hf:"):
        return False
    for source in (registry.at_hand(), registry):  # the first lookup avoids requests to mirrors
        if source.has(family):
            return False
        if source.has(f"{family}/{name}"):
            return True
    return False


@dataclass(frozen=True)
class Choice:
    """One dataset of a request.

    Attributes:
        name: requested name: `mnist`, `mnist@1.0.0`, or the path of a manifest.
        manifest: manifest of the dataset.
        splits: requested splits, in order.
    """

    name: str
    manifest: "Manifest"
    splits: tuple[str, ...]

    @classmethod
    def of(
        cls, manifest: "Manifest", splits: Sequence[str] | None = None, name: str = ""
    ) -> "Choice":
        """Return a choice of the splits of a manifest, all by default.

        Raises:
            UnknownNameError: a split is not in the manifest.
        """
        wanted = manifest.splits if splits is None else splits
        chosen = tuple(find_split(manifest.name, split, manifest.splits) for split in wanted)
        return cls(name or manifest.identifier, manifest, chosen)


@dataclass(frozen=True)
class Request:
    """Datasets to load, fetch or prepare, in the requested order."""

    choices: tuple[Choice, ...]

    def __iter__(self) -> Iterator[Choice]:
        return iter(self.choices)

    @property
    def named(self) -> "list[tuple[str, Manifest]]":
        """The requested name and the manifest of each dataset."""
        return [(choice.name, choice.manifest) for choice in self.choices]

    @property
    def manifests(self) -> "list[Manifest]":
        """The manifest of each dataset."""
        return [choice.manifest for choice in self.choices]

    @classmethod
    def of(cls, manifest: "Manifest", splits: Sequence[str] | None = None) -> "Request":
        """Return a request for the splits of one dataset, all by default.

        Raises:
            UnknownNameError: a split is not in the manifest.
        """
        return cls((Choice.of(manifest, splits),))
