"""Familiar names of labels, manifests and their splits."""

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dshub.catalog.citations import bibtex

if TYPE_CHECKING:
    from dshub.catalog.features import LabelFeature
    from dshub.catalog.manifest import AnyPair, Manifest, Split


class LabelNames:
    """Familiar names of `LabelFeature`."""

    def __init__(self, own: "LabelFeature") -> None:
        self._own = own

    @property
    def num_classes(self) -> int:
        """Same as `len(feature.names)`."""
        return len(self._own.names)

    def int2str(self, values: int | Sequence[int]) -> Any:
        """Same as `feature.str(number)`."""
        several: Any = values
        if hasattr(values, "__len__"):
            return [self._own.str(int(value)) for value in several]
        return self._own.str(int(several))

    def str2int(self, values: str | Sequence[builtins.str]) -> Any:
        """Same as `feature.int(name)`."""
        if isinstance(values, str):
            return self._own.int(values)
        return [self._own.int(value) for value in values]

    def encode_example(self, value: str) -> int:
        """Same as `feature.int(name)`."""
        return self._own.int(value)

    def decode_example(self, value: int) -> str:
        """Same as `feature.str(number)`."""
        return self._own.str(value)


class ManifestNames:
    """Familiar names of `Manifest`, which `with_info=True` and `builder(name).info` return."""

    def __init__(self, own: "Manifest") -> None:
        self._own = own

    @property
    def description(self) -> str:
        """Same as `manifest.summary`."""
        return self._own.summary

    @property
    def citation(self) -> str:
        """Same as `bibtex(manifest)`, from `dshub.catalog.citations`."""
        return citation(self._own)

    @property
    def supervised_keys(self) -> "AnyPair | None":
        """Same as `manifest.supervised`."""
        return self._own.supervised

    @property
    def full_name(self) -> str:
        """Same as `manifest.identifier`."""
        return self._own.identifier


class SplitNames:
    """Familiar names of `Split`, a split in a manifest."""

    def __init__(self, own: "Split") -> None:
        self._own = own

    @property
    def num_examples(self) -> int:
        """Same as `split.rows`."""
        return self._own.rows


def citation(manifest: "Manifest | None") -> str:
    """Return the citations of a manifest as BibTeX, or an empty string without citations."""
    return "" if manifest is None else "\n\n".join(map(bibtex, manifest.citations))
