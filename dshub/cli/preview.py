"""Command `dshub preview`: show rows of a dataset in a terminal, an image or a browser."""

import tempfile
import webbrowser
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dshub.cache.disk import disk_faults
from dshub.catalog.features import Feature, LabelFeature, ListFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.datasets.rendering.cells import words
from dshub.datasets.rendering.images import terminal_can_show
from dshub.datasets.rendering.showing import drawn, grid, images_of
from dshub.datasets.split_expressions import Part, find_parts
from dshub.display import is_utf8, one_line
from dshub.hub.hub import Hub
from dshub.hub.request import name_and_split
from dshub.publishing.site.samples import Sample, sample, stated_counts

ROWS, IMAGES = 8, 32  # default number of rows in a table and of images in a PNG
CLASSES = 20  # maximum number of bars in a histogram
_BAR_WIDTH = 40  # characters of the longest bar
_MIN_CELL = 12  # characters to keep of a long cell before columns are left out

Counts = Mapping[str, Mapping[str, int]]
"""Number of rows by column and class."""


@click.command()
@click.argument("name", metavar="NAME[:SPLIT]", type=_screen.DatasetName())
@click.option("--split", help="Split or slice to show (default: the first split).")
@click.option(
    "--rows", type=click.IntRange(1, 1000), help="Number of rows (default: 8, or 32 with --png)."
)
@click.option(
    "--png", type=click.Path(dir_okay=False, path_type=Path), help="Write images to this file."
)
@click.option("--open", "opened", is_flag=True, help="Open a web page of the dataset.")
@answering
def command(
    name: str, split: str | None, rows: int | None, png: Path | None, opened: bool
) -> Answer:
    """Show rows of a dataset.

    \b
      dshub preview fashion-mnist
      dshub preview glue/sst2 --split validation --rows 20
      dshub preview 'mnist:test[:100]'
      dshub preview cifar-10 --png cifar.png
      dshub preview mnist --open

    Prints images (if the terminal supports them), a table of rows, and class counts. The rows are
    spread evenly over the split. If the split is not prepared, the rows are synthetic and marked as
    such. Nothing is downloaded.
    """
    hub = Hub()
    name, inline = name_and_split(name)
    if split and inline:
        raise click.UsageError("name one split: NAME:SPLIT or --split SPLIT")
    manifest = hub.info(name)
    if opened:
        return _open(hub, name)
    count = rows or (IMAGES if png else ROWS)
    part = _part(manifest, split or inline)
    taken = _sample(hub, manifest, part.split, count)
    numbers = taken.rows(count, part.rows(len(taken.dataset)))
    if png is not None:
        return _write(taken, numbers, png)
    counts = _counts(manifest, taken)
    return Answer(_data(taken, numbers, counts), _text(taken, numbers, counts))


def _part(manifest: Manifest, split: str | None) -> Part:
    """Return the split or slice to show, by default the first split."""
    if split is None:
        return Part(next(iter(manifest.splits)))
    parts = find_parts(manifest.name, split, manifest.splits)
    if len(parts) > 1:
        raise click.UsageError(f"preview shows one split or slice, not {split}")
    return parts[0]


def _sample(hub: Hub, manifest: Manifest, split: str, rows: int) -> Sample:
    taken = sample(manifest, split, hub.store, rows=rows)
    if taken.synthetic and not manifest.synthetic:
        fact = f"{manifest.name} is not prepared, so these rows are synthetic"
        _screen.note(f"{fact}; run `dshub fetch {manifest.name}` to download the real data")
    return taken


def _counts(manifest: Manifest, taken: Sample) -> Counts:
    """Return the number of rows by column and class, from the manifest or else from the sample."""
    counts = {}
    for name, feature in taken.dataset.features.items():
        if isinstance(feature, LabelFeature):
            rows = stated_counts(manifest, taken.split, name) or taken.class_counts(name)
            counts[name] = dict(zip(feature.names, rows, strict=True))
    return counts


def _data(taken: Sample, numbers: Sequence[int], counts: Counts) -> dict[str, Any]:
    features = taken.dataset.features
    rows = {number: taken.dataset[number] for number in numbers}
    return {
        "name": taken.manifest.name,
        "version": taken.manifest.version,
        "split": taken.split,
        "synthetic": taken.synthetic,
        "rows": len(taken.dataset),
        "columns": list(features),
        "sample": [
            {"row": number, "values": {key: _value(row[key], features[key]) for key in features}}
            for number, row in rows.items()
        ],
        "classes": counts,
    }


def _value(value: Any, feature: Feature) -> Any:
    """Convert numbers and lists to JSON values, NaN to None, and other values to text."""
    if isinstance(feature, ListFeature):
        return [_value(item, feature.of) for item in value]
    if isinstance(feature, NumberFeature) and not feature.shape:
        number = value.item() if hasattr(value, "item") else value
        return None if number != number else number  # noqa: PLR0124  # only NaN differs from itself
    return words(value, feature)


def _text(taken: Sample, numbers: Sequence[int], counts: Counts) -> str:
    manifest = taken.manifest
    title = f"{_screen.bold(one_line(manifest.title))}  {_screen.dim(manifest.identifier)}"
    total = f"{taken.split}: {len(numbers):,} of {len(taken.dataset):,} rows"
    parts = [*_drawn(taken, numbers), f"{title}\n{total}", _table(taken, numbers)]
    parts += [_histogram(name, rows) for name, rows in counts.items()]
    return "\n\n".join(parts)


def _drawn(taken: Sample, numbers: Sequence[int]) -> list[str]:
    """Return a list with the drawn images, or an empty list if the terminal cannot show them."""
    images = images_of(taken.dataset, numbers) if terminal_can_show() else []
    if not images:
        return []
    width = _screen.terminal_width()
    return [drawn(taken.dataset, images, numbers, width=width, painted=_screen.painted)]


def _table(taken: Sample, numbers: Sequence[int]) -> str:
    """Format rows as a table, without middle columns if the terminal is too narrow."""
    features, width = taken.dataset.features, _screen.terminal_width()
    rows = [["row", *features]]
    for number in numbers:
        row = taken.dataset[number]
        cells = [one_line(words(row[name], feature)) for name, feature in features.items()]
        rows.append([f"{number:,}", *cells])
    head, *body = _screen.narrowed(_fitted(rows, width), width=width)
    lines = [_screen.columns([[*map(_screen.dim, head)], *body], right=(0,))]
    left_out = len(features) + 1 - len(head)
    if left_out > 0:
        shown = f"{left_out + 1} of {len(features)} columns are not shown; --json has all"
        lines.append(_screen.dim(shown))
    return "\n".join(lines)


def _fitted(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Truncate the cells of the widest columns until rows fit a width, or cells are short."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    limit = max(widths)
    while limit > _MIN_CELL and sum(min(length, limit) + 2 for length in widths) - 2 > width:
        limit -= 1
    limit = min(limit, 60)
    return [[_screen.fitted(cell, limit) for cell in row] for row in rows]


def _histogram(column: str, counts: Mapping[str, int]) -> str:
    """Draw a bar for each class, or for the most frequent ones of many classes."""
    largest = max(counts.values(), default=0) or 1
    omitted = len(counts) - CLASSES
    ranked = Counter(counts).most_common(CLASSES) if omitted > 0 else counts.items()
    sign = "█" if is_utf8() else "#"
    rows = [
        [
            f"  {_screen.fitted(one_line(name), 30)}",
            f"{count:,}",
            sign * round(_BAR_WIDTH * count / largest),
        ]
        for name, count in ranked
    ]
    lines = [f"{_screen.bold(column)}  {len(counts):,} classes", _screen.columns(rows, right=(1,))]
    if omitted > 0:
        lines.append(f"  {_screen.dim(f'and {omitted:,} more classes')}")
    return "\n".join(lines)


def _write(taken: Sample, numbers: Sequence[int], path: Path) -> Answer:
    """Write images with their classes as a PNG file."""
    images = images_of(taken.dataset, numbers)
    if not images:
        raise click.UsageError(f"{taken.manifest.name} has no image column")
    note = "synthetic, not real data" if taken.synthetic else ""
    image = grid(taken.dataset, images, numbers, note=note)
    with disk_faults(path, "write", hint="choose another file with --png"):
        image.save(path, "PNG")
    return Answer({"path": str(path), "synthetic": taken.synthetic}, str(path))


def _open(hub: Hub, name: str) -> Answer:
    """Write a web page of a dataset in a temporary folder, and open it."""
    from dshub.publishing.site.build import build, page_of  # lazily, because it needs Jinja2

    folder = Path(tempfile.mkdtemp(prefix="dshub-preview-"))
    built = build(hub.registry, hub.store, folder, names=[name])
    page = folder / page_of(hub.registry.manifest(name))
    notes = [f"note: {line}" for line in built.notes]
    if not webbrowser.open(page.as_uri()):
        notes.append("no browser was found; open this page in a browser")
    return Answer({"page": str(page)}, str(page), notes)
