"""Show rows, features and splits as HTML in notebooks.

The HTML needs no other file and takes its colors from the page, so it is readable in light and dark
themes. All texts are escaped.
"""

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
    describe,
)
from dshub.datasets.rendering.boxes import box_columns, draw_boxes
from dshub.datasets.rendering.cells import POINTS, Media, encode, to_rgb, words
from dshub.display import harmless

LARGEST = 80_000  # maximum length of all images and audio of a table, in characters
COLUMNS = 12  # maximum number of columns in a table
CHIPS = 12  # maximum number of chips in a cell or in a list of classes
LINE, TEXT = 120, 2000  # maximum characters of a folded and an unfolded text

_STYLE = """<style>
.dshub{line-height:1.45;overflow-x:auto}
.dshub p{margin:.3em 0;padding:0}
.dshub .dshub-dim{opacity:.65;font-weight:normal;font-size:.9em}
.dshub table.dshub-rows{border-collapse:collapse;border:0;margin:.4em 0;font-size:13px}
.dshub .dshub-rows th,.dshub .dshub-rows td{text-align:left;vertical-align:middle;
padding:5px 18px 5px 0;border:0;border-bottom:1px solid rgba(128,128,128,.3);background:none;
max-width:32em;white-space:normal}
.dshub .dshub-rows tr{background:none!important}
.dshub .dshub-rows th{vertical-align:bottom;white-space:nowrap}
.dshub .dshub-rows .dshub-number{text-align:right;font-variant-numeric:tabular-nums}
.dshub .dshub-chip{display:inline-block;padding:0 .65em;margin:1px 3px 1px 0;border-radius:1em;
background:rgba(110,130,200,.22);white-space:nowrap}
.dshub img{display:block;border-radius:3px;margin:0;max-width:none}
.dshub img.dshub-pixels{image-rendering:pixelated}
.dshub audio{display:block;height:30px;width:230px}
.dshub svg{display:block;height:22px;width:144px}
.dshub .dshub-text{min-width:11em}
.dshub summary{cursor:pointer}
.dshub details p{white-space:pre-wrap}
</style>"""


class Features(dict[str, Feature]):
    """Features by column name, which a notebook shows as a table."""

    if TYPE_CHECKING:  # type checkers cannot know the columns of a dataset

        def __getitem__(self, name: str) -> Any: ...

    def _repr_html_(self) -> str:
        rows = [[_text(name), _text(_kind(item)), _classes(item)] for name, item in self.items()]
        return _page(_table(["column", "type", "classes"], rows))


def rows_html(
    title: str, features: Mapping[str, Feature], rows: Mapping[str, Sequence[Any]], total: int
) -> str:
    """Show the first rows of a dataset as a table.

    Args:
        title: name of the dataset.
        features: features of all columns.
        rows: the values of the first rows by column.
        total: number of rows of the dataset.
    """
    shown = dict(list(features.items())[:COLUMNS])
    heads = [
        f'{_text(name)}<br><span class="dshub-dim">{_text(_kind(item))}</span>'
        for name, item in shown.items()
    ]
    count, budget = min(map(len, rows.values()), default=0), [LARGEST]
    body = []
    for number in range(count):
        row = _with_boxes({name: rows[name][number] for name in shown}, shown)
        body.append([_cell(row[name], item, budget) for name, item in shown.items()])
    notes = [f"{count:,} of {total:,} rows"]
    if len(features) > COLUMNS:
        notes.append(f"{COLUMNS} of {len(features):,} columns")
    return _page(
        _heading(title, notes), _table(heads, body, list(map(_column_class, shown.values())))
    )


def _with_boxes(row: dict[str, Any], features: Mapping[str, Feature]) -> dict[str, Any]:
    """Return a row with the boxes of objects drawn on its only image."""
    images = [name for name, item in features.items() if isinstance(item, ImageFeature)]
    if len(images) != 1 or not box_columns(features) or not isinstance(row[images[0]], np.ndarray):
        return row
    drawn = draw_boxes(to_rgb(row[images[0]]), row, features)
    return row | {images[0]: np.asarray(drawn).reshape(*drawn.size[::-1], -1)}


def failed_html(title: str, message: str) -> str:
    """Show the name of an unreadable dataset, and the reason."""
    return _page(_heading(title, []), f"<p>{_text(message)}</p>")


def splits_html(
    title: str, rows: Mapping[str, int | None], features: Mapping[str, Feature] | None
) -> str:
    """Show the splits of a dataset with their numbers of rows, and its columns if known."""
    body = [
        [f"<code>{_text(name)}</code>", "" if count is None else f"{count:,}"]
        for name, count in rows.items()
    ]
    table = _table(["split", "rows"], body, ["", "dshub-number"])
    columns = "" if features is None else _columns(features)
    return _page(_heading(title, []), table, columns)


def _columns(features: Mapping[str, Feature]) -> str:
    names = ", ".join(f"{_text(name)} ({_text(_kind(item))})" for name, item in features.items())
    return f'<p class="dshub-dim">Columns: {names}</p>'


def _page(*parts: str) -> str:
    return f'<div class="dshub">{_STYLE}{"".join(parts)}</div>'


def _heading(title: str, notes: Sequence[str]) -> str:
    dim = " · ".join(notes)
    return f'<p><strong>{_text(title)}</strong> <span class="dshub-dim">{_text(dim)}</span></p>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str] = ()) -> str:
    kinds = [f' class="{name}"' for name in classes] or [""] * len(heads)

    def line(tag: str, cells: Sequence[str]) -> str:
        pairs = zip(cells, kinds, strict=True)
        return f"<tr>{''.join(f'<{tag}{kind}>{cell}</{tag}>' for cell, kind in pairs)}</tr>"

    body = "".join(line("td", row) for row in rows)
    head = f"<thead>{line('th', heads)}</thead>"
    return f'<table class="dshub-rows">{head}<tbody>{body}</tbody></table>'


def _column_class(feature: Feature) -> str:
    is_number = isinstance(feature, NumberFeature) and not feature.shape
    is_text = isinstance(feature, TextFeature | ListFeature | StructFeature)
    return "dshub-number" if is_number else "dshub-text" if is_text else ""


def _cell(  # noqa: PLR0911  # a case each
    value: Any, feature: Feature, budget: list[int]
) -> str:
    """Format a value; `budget` holds the number of characters left for images and audio."""
    if value is None or value is np.ma.masked:
        return '<span class="dshub-dim">–</span>'
    match feature:
        case ImageFeature() | MaskFeature() | AudioFeature() if isinstance(value, bytes):
            return _text(f"file of {len(value):,} bytes")
        case ImageFeature() | MaskFeature() | AudioFeature():
            return _media(encode(value, feature, seconds=1), budget)
        case LabelFeature():
            return _chip(words(value, feature))
        case ListFeature(of=LabelFeature()):
            return _chips([words(item, feature.of) for item in value])
        case TextFeature() | ListFeature() | StructFeature():
            return _folded(words(value, feature))
        case NumberFeature() | BoxFeature() | DateFeature() | BytesFeature():
            return _text(words(value, feature))


def _media(media: Media, budget: list[int]) -> str:
    """Embed an image or audio if the budget allows, or else show its size."""
    size, fits = _text(media.title), len(media.source) <= budget[0]
    if fits:
        budget[0] -= len(media.source)
    if media.waveform:
        wave = f'<path d="{media.waveform}" stroke="currentColor" stroke-width=".6"/>'
        svg = f'<svg viewBox="0 0 {POINTS} 2" preserveAspectRatio="none">{wave}</svg>'
        player = (
            f'<audio controls preload="metadata" src="{media.source}"></audio>'
            if fits and media.source
            else svg
        )
        return f'{player}<span class="dshub-dim">{size}</span>'
    if not fits:
        return size
    scale = max(1, 56 // max(media.width, media.height)) if media.is_small else 1
    kind = ' class="dshub-pixels"' if media.is_small else ""
    width = f'width="{scale * media.width}" height="{scale * media.height}"'
    return f'<img{kind} src="{media.source}" {width} alt="{size}" title="{size}">'


def _folded(text: str) -> str:
    """Show a short text, or the beginning of a long text that unfolds on a click."""
    if len(text) <= LINE:
        return _text(text)
    more = f" … {len(text) - TEXT:,} more characters" if len(text) > TEXT else ""
    whole = f"<p>{_text(text[:TEXT])}{more}</p>"
    return f"<details><summary>{_text(text[:LINE])}…</summary>{whole}</details>"


def _classes(feature: Feature) -> str:
    of = feature.of if isinstance(feature, ListFeature) else feature
    return _chips(of.names) if isinstance(of, LabelFeature) else ""


def _chips(names: Sequence[str]) -> str:
    more = f" … {len(names) - CHIPS:,} more" if len(names) > CHIPS else ""
    return "".join(map(_chip, names[:CHIPS])) + more


def _chip(name: str) -> str:
    return f'<span class="dshub-chip">{_text(name)}</span>'


def _kind(feature: Feature) -> str:
    return describe(feature).replace(" x ", " × ")


def _text(value: str) -> str:
    return html.escape(harmless(value))
