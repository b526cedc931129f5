"""What was found of a dataset, for people and for programs."""

from typing import TYPE_CHECKING, Any

from dshub.catalog.features import Feature, LabelFeature
from dshub.cli import _screen
from dshub.display import flat

if TYPE_CHECKING:
    from dshub.publishing.authoring.outline import Outline


def plain(outline: "Outline") -> dict[str, Any]:
    """For a program."""
    import msgspec

    return {
        "kind": outline.kind,
        "features": msgspec.to_builtins(outline.features),
        "examples": outline.examples,
        "splits": {
            name: {
                "rows": split.rows,
                "without": split.without,
                "figures": {figure: list(value) for figure, value in split.figures.items()},
            }
            for name, split in outline.splits.items()
        },
        "doubts": outline.doubts,
    }


def text(outline: "Outline", name: str) -> str:
    """For a person."""
    from dshub.publishing.authoring.columns import described

    width = _screen.terminal_width()
    rows = [
        [
            f"  {column}",
            described(feature),
            _screen.dim(_screen.fitted(_example(outline, column), 60)),
        ]
        for column, feature in outline.features.items()
    ]
    blocks = [
        f"{_screen.bold(name)}  {outline.kind}",
        _screen.bold("Columns") + "\n" + _screen.columns(rows),
        _screen.bold("Splits") + "\n" + _splits(outline),
    ]
    for column, feature in outline.features.items():
        if isinstance(feature, LabelFeature):
            told = _screen.fitted(_classes(outline, column, feature), max(width - 2, 20))
            blocks.append(f"{_screen.bold('Classes')} of {column}, in order\n  {flat(told)}")
    if outline.doubts:
        listing = "\n".join(f"  {flat(doubt)}" for doubt in outline.doubts)
        blocks.append(f"{_screen.bold('Look at')}\n{listing}")
    return "\n\n".join(blocks)


def _example(outline: "Outline", column: str) -> str:
    shown = " ".join(outline.examples.get(column, "").split())
    return f"such as {shown}" if shown else ""


def _splits(outline: "Outline") -> str:
    rows = [
        [f"  {name}", f"{split.rows:,} rows", f"without {', '.join(split.without)}"]
        if split.without
        else [f"  {name}", f"{split.rows:,} rows", ""]
        for name, split in outline.splits.items()
    ]
    return _screen.columns(rows, right=(1,))


def _classes(outline: "Outline", column: str, feature: Feature) -> str:
    """Each class and its rows in all splits together."""
    counts = [
        found
        for split in outline.splits.values()
        if (found := split.figures.get(f"{column}-counts")) is not None
    ]
    totals = [sum(own) for own in zip(*counts, strict=True)]
    names = feature.names if isinstance(feature, LabelFeature) else ()
    return ", ".join(f"{name} {total:,}" for name, total in zip(names, totals, strict=True))
