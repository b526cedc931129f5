"""Requests: datasets and splits, after their names were resolved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dshub.errors import UnknownNameError

if TYPE_CHECKING:  # listing datasets parses no manifest
    from dshub.catalog.manifest import Manifest


@dataclass(frozen=True)
class Choice:
    """One dataset of a request.

    Attributes:
        name: as it was asked for: `mnist`, `mnist@1.0.0`, the path of a manifest.
        manifest: the one manifest that everything below works with.
        splits: which of its splits are meant, in order.
    """

    name: str
    manifest: "Manifest"
    splits: tuple[str, ...]

    @classmethod
    def of(
        cls, manifest: "Manifest", splits: Sequence[str] | None = None, name: str = ""
    ) -> "Choice":
        """A manifest with some of its splits, all where None.

        Raises:
            UnknownNameError: the manifest has no such split.
        """
        chosen = tuple(manifest.splits if splits is None else splits)
        for split in chosen:
            if split not in manifest.splits:
                raise UnknownNameError(
                    kind=f"split of {manifest.name}", name=split, known=[*manifest.splits]
                )
        return cls(name or manifest.identifier, manifest, chosen)


@dataclass(frozen=True)
class Request:
    """Datasets in the order they were asked for. `Hub.resolve` makes one from names."""

    choices: tuple[Choice, ...]

    def __iter__(self) -> Iterator[Choice]:
        return iter(self.choices)

    def __len__(self) -> int:
        return len(self.choices)

    @property
    def named(self) -> "list[tuple[str, Manifest]]":
        """The name that was asked for and the manifest of each dataset."""
        return [(choice.name, choice.manifest) for choice in self.choices]

    @property
    def manifests(self) -> "list[Manifest]":
        """The manifest of each dataset."""
        return [choice.manifest for choice in self.choices]

    @classmethod
    def of(cls, manifest: "Manifest", splits: Sequence[str] | None = None) -> "Request":
        """A request for one dataset; raises as `Choice.of`."""
        return cls((Choice.of(manifest, splits),))
