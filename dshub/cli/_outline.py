"""Show the outline of a dataset that `dshub new` drafts."""

from collections.abc import Iterator
from typing import Any

import msgspec

from dshub.catalog.features import Feature, LabelFeature, ListFeature, StructFeature
from dshub.cli import _screen
from dshub.cli.info import columns_text, splits_text
from dshub.display import flat
from dshub.publishing.authoring.outline import Outline


def plain(outline: Outline) -> dict[str, Any]:
    """Return an outline as a JSON object."""
    return {
        "kind": outline.kind,
        "features": msgspec.to_builtins(outline.features),
        "splits": {
            name: {"rows": split.rows, "without": split.without, "figures": split.figures}
            for name, split in outline.splits.items()
        },
        "doubts": outline.doubts,
    }


def described(outline: Outline, name: str) -> str:
    """Describe an outline as text."""
    blocks = [
        f"{_screen.bold(name)}  {outline.kind}",
        columns_text(outline.features),
        splits_text((key, split.rows, split.without) for key, split in outline.splits.items()),
    ]
    width = max(_screen.terminal_width() - 2, 20)
    for title, classes in _all_classes(outline):
        shown = flat(_screen.fitted(classes, width))
        blocks.append(f"{_screen.bold('Classes')} of {title}\n  {shown}")
    if outline.doubts:
        doubts = "\n".join(f"  {flat(doubt)}" for doubt in outline.doubts)
        blocks.append(f"{_screen.bold('Please check')}\n{doubts}")
    return "\n\n".join(blocks)


def _all_classes(outline: Outline) -> Iterator[tuple[str, str]]:
    """Yield a title and the class names of each column with classes, also of lists and structs."""
    for column, feature in outline.features.items():
        if isinstance(feature, LabelFeature):
            yield f"{column}, in order (rows)", _classes(outline, column, feature)
        else:
            for name, label in _labels_in(column, feature):
                yield f"{name}, in order", ", ".join(label.names)


def _labels_in(name: str, feature: Feature) -> Iterator[tuple[str, LabelFeature]]:
    """Yield the labels in a feature with their names, such as `objects.labels`."""
    match feature:
        case LabelFeature():
            yield name, feature
        case ListFeature():
            yield from _labels_in(name, feature.of)
        case StructFeature():
            for field, of in feature.fields.items():
                yield from _labels_in(f"{name}.{field}", of)


def _classes(outline: Outline, column: str, feature: LabelFeature) -> str:
    """Return the class names of a column with their row counts over all splits."""
    figures = [split.figures.get(f"{column}-counts") for split in outline.splits.values()]
    totals = map(sum, zip(*filter(None, figures), strict=True))
    return ", ".join(f"{name} ({rows:,})" for name, rows in zip(feature.names, totals, strict=True))
