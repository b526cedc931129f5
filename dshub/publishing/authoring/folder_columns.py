"""Outline the columns of folders such as `year=2024`."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dshub.catalog.features import Feature, LabelFeature, NumberFeature, TextFeature
from dshub.datasets.labels import class_order
from dshub.datasets.tabular.columns import LABELS
from dshub.datasets.trees import Split, pair_of
from dshub.formats.folder.names import DERIVED
from dshub.importing.walking import Place
from dshub.publishing.authoring.outline import SplitOutline
from dshub.publishing.authoring.survey import key

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_BRACES = str.maketrans({"{": "{{", "}": "}}"})


class FolderColumn(NamedTuple):
    """Column of the values of folders.

    Attributes:
        name: name of the column.
        key: key in the names of folders.
        feature: feature of the column.
    """

    name: str
    key: str
    feature: Feature

    def add_to(self, split: SplitOutline, tree: Split, places: Sequence[Place]) -> None:
        """Add the column to the outline of a split.

        Args:
            split: outline of the split.
            tree: folders of the split.
            places: folder of each row.
        """
        values = tree.columns.get(self.key)
        if values is None:
            split.without.append(self.name)
            return
        depth = _level(tree, self.key)
        stored = {place[depth].partition("=")[2]: value for place, value in values.items()}
        changed = {text: value for text, value in stored.items() if text != value}
        if changed:
            split.steps.append({"step": "map", "column": self.name, "values": changed})
        if isinstance(self.feature, LabelFeature):
            counts = Counter(values[place] for place in places)
            figures = tuple(counts[name] for name in self.feature.names)
            split.figures[f"{self.name}-counts"] = figures


def folder_columns(trees: Sequence[Split], taken: Mapping[str, Feature]) -> list[FolderColumn]:
    """Return the columns of folders.

    Args:
        trees: folders of the splits.
        taken: features of other columns.
    """
    values: dict[str, list[str]] = {}
    for tree in trees:
        for name, by_place in tree.columns.items():
            values.setdefault(name, []).extend(by_place.values())
    columns: list[FolderColumn] = []
    for name, texts in values.items():
        others = [*taken, *DERIVED, "name", *(column.name for column in columns)]
        columns.append(FolderColumn(key(name, others), name, _feature(name, texts)))
    return columns


def _feature(name: str, texts: Sequence[str]) -> Feature:
    if name.lower() in LABELS and "" not in texts:
        return LabelFeature(names=tuple(class_order(texts)))
    is_number = any(texts) and all(not text or _INTEGER.fullmatch(text) for text in texts)
    return NumberFeature(dtype="int64", optional="" in texts) if is_number else TextFeature()


def _level(tree: Split, name: str) -> int:
    """Return the depth of the folders with a key."""
    place = tree.places[0]
    return next(i for i in range(tree.depth) if (pair_of(place[i]) or ("",))[0] == name)


def folder_path(tree: Split, columns: Sequence[FolderColumn], outer: int) -> tuple[str, str]:
    """Return the folders above the classes of a split.

    Args:
        tree: folders of the split.
        columns: columns of the dataset.
        outer: number of folders that are the name of an archive.

    Returns:
        The folders that all files share, with a trailing `/`, and the pattern of all folders, for
        the reader `folder`.
    """
    by_level = {_level(tree, item.key): item for item in columns if item.key in tree.columns}
    prefix, pattern = "", ""
    for depth in range(outer, tree.depth):
        folder = tree.places[0][depth]
        if column := by_level.get(depth):
            pattern += f"{column.key}={{{column.name}}}/"
        else:
            pattern += f"{folder.translate(_BRACES)}/"
            if not any(level < depth for level in by_level):
                prefix += f"{folder}/"
    return prefix, pattern
