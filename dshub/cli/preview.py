"""`dshub preview`: some rows of a dataset, in the terminal, as a picture or in the browser."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dshub.catalog.features import Feature, ImageFeature, LabelFeature, ListFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.cli import _screen
from dshub.display import one_line
from dshub.errors import StoreError

if TYPE_CHECKING:
    from PIL import Image

    from dshub.hub.hub import Hub
    from dshub.publishing.site.samples import Sample

ROWS, PICTURES = 8, 32  # of a table, of a PNG
CLASSES = 20  # with a bar each
_BAR = 40  # columns of the longest bar
_PROTOCOLS = ("auto", "kitty", "iterm2", "sixel", "blocks", "none")


@click.command(short_help="Look at some rows of a dataset.")
@click.argument("name", type=_screen.DatasetName())
@click.option("--split", help="Which one (default: the first).")
@click.option("--rows", type=click.IntRange(1, 1000), help="How many (default: 8, of a PNG 32).")
@click.option(
    "--png", type=click.Path(dir_okay=False, path_type=Path), help="Write pictures to this file."
)
@click.option("--open", "opened", is_flag=True, help="Show the dataset's page in the browser.")
@click.option(
    "--pictures", type=click.Choice(_PROTOCOLS), default="auto", help="How the terminal shows them."
)
@_screen.json_option
def command(
    name: str,
    split: str | None,
    rows: int | None,
    png: Path | None,
    opened: bool,
    pictures: Any,
    as_json: bool,
) -> None:
    """Rows of NAME as a table, how many rows each class has, and pictures where it has some.

    \b
      dshub preview fashion-mnist
      dshub preview glue/sst2 --split validation --rows 20
      dshub preview cifar-10 --png cifar.png
      dshub preview mnist --open

    Rows are spread evenly over the split. They come from its table where it is prepared, and
    otherwise from a synthetic stand-in, which says so: nothing is fetched.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    manifest = hub.info(name)
    if opened:
        _open(hub, name, as_json=as_json)
        return
    taken = _taken(hub, manifest, split, rows or (PICTURES if png else ROWS))
    if png is not None:
        _write(taken, rows or PICTURES, png, as_json=as_json)
        return
    shown = _Shown(taken, rows or ROWS, _counts(manifest, taken))
    if not as_json:
        _draw(shown, pictures)
    _screen.answer(as_json, _data(shown), lambda: _text(shown))


def _taken(hub: "Hub", manifest: Manifest, split: str | None, rows: int) -> "Sample":
    from dshub.publishing.site.samples import sample

    wanted = split or next(iter(manifest.splits))
    if wanted not in manifest.splits:
        from dshub.datasets.split_expressions import unknown_split

        raise unknown_split(manifest.name, wanted, manifest.splits)
    taken = sample(manifest, wanted, hub.store, rows=rows)
    if taken.synthetic and not manifest.synthetic:
        said = f"{manifest.name} is not prepared here: these rows are synthetic, made up by dshub"
        _screen.note(f"{said}; `dshub fetch {manifest.name}` gets the real ones")
    return taken


@dataclass(frozen=True)
class _Shown:
    """What is told of a split: its sample, how many rows of it, and how many each class has."""

    taken: "Sample"
    rows: int
    counts: dict[str, dict[str, int]]


def _counts(manifest: Manifest, taken: "Sample") -> dict[str, dict[str, int]]:
    """Rows of each class by column: those that the manifest tells, or else counted."""
    from dshub.publishing.site.samples import class_counts, told_counts

    found = {}
    for name, feature in taken.dataset.features.items():
        if isinstance(feature, LabelFeature):
            told = told_counts(manifest, taken.split, name) or class_counts(taken, name)
            found[name] = dict(zip(feature.names, told, strict=True))
    return found


def _data(shown: _Shown) -> dict[str, Any]:
    taken = shown.taken
    features = taken.dataset.features
    return {
        "name": taken.manifest.name,
        "version": taken.manifest.version,
        "split": taken.split,
        "synthetic": taken.synthetic,
        "rows": len(taken.dataset),
        "columns": list(features),
        "sample": [
            {"row": number, "values": _values(taken.dataset[number], features)}
            for number in taken.rows(shown.rows)
        ],
        "classes": shown.counts,
    }


def _values(row: Mapping[str, Any], features: Mapping[str, Feature]) -> dict[str, Any]:
    return {name: _value(row[name], feature) for name, feature in features.items()}


def _value(value: Any, feature: Feature) -> Any:
    """Numbers and lists as JSON has them, NaN as null; everything else in words."""
    from dshub.publishing.site.cells import words

    if isinstance(feature, ListFeature):
        return [_value(item, feature.of) for item in value]
    if isinstance(feature, NumberFeature) and not feature.shape:
        number = value.item() if hasattr(value, "item") else value
        return None if number != number else number  # noqa: PLR0124  # NaN alone differs from itself
    return words(value, feature)


def _text(shown: _Shown) -> str:
    taken, rows = shown.taken, shown.rows
    manifest = taken.manifest
    total = f"{taken.split}: {min(rows, len(taken.dataset)):,} of {len(taken.dataset):,} rows"
    head = f"{_screen.bold(one_line(manifest.title))}  {_screen.dim(manifest.identifier)}\n{total}"
    blocks = [head, _table(taken, rows)]
    blocks += [_histogram(name, counts) for name, counts in shown.counts.items()]
    return "\n\n".join(blocks)


def _draw(shown: _Shown, pictures: Any) -> None:
    """Show the pictures of the rows, as the terminal can."""
    from dshub.cli._sheets import sheet
    from dshub.cli._terminals import drawn, protocol

    how = protocol() if pictures == "auto" else pictures
    found = _pictures(shown.taken, shown.rows) if how != "none" else []
    if not found:
        return
    columns = min(len(found), 8)
    grid = sheet(found, side=96, columns=columns, gap=6)
    width = min(_screen.terminal_width() - 1, columns * 11)
    text = drawn(grid, how, width=max(width, 8))
    click.echo(f"{text}\n", color=True)  # asked for, or the terminal can: not to be stripped


def _pictures(taken: "Sample", rows: int) -> "list[Image.Image]":
    """The first column of pictures of some rows; empty where there is none."""
    from dshub.publishing.site.cells import to_rgb

    names = [n for n, item in taken.dataset.features.items() if isinstance(item, ImageFeature)]
    if not names:
        return []
    view = taken.dataset.columns([names[0]])
    return [to_rgb(view[number][names[0]]) for number in taken.rows(rows)]


def _table(taken: "Sample", rows: int) -> str:
    from dshub.publishing.site.cells import words

    features = taken.dataset.features
    head = [_screen.dim(name) for name in ("row", *features)]
    body = []
    for number in taken.rows(rows):
        row = taken.dataset[number]
        cells = [one_line(words(row[name], feature)) for name, feature in features.items()]
        body.append([f"{number:,}", *cells])
    return _screen.columns([head, *_fitted(body, _screen.terminal_width())], right=(0,))


def _fitted(body: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Cells cut so that a line fits: the widest columns give way first."""
    widest = [max(map(len, column)) for column in zip(*body, strict=True)]
    limit = max(widest)
    while limit > 8 and sum(min(length, limit) + 2 for length in widest) > width:
        limit -= 1
    most = min(limit, 60)
    return [[_screen.fitted(cell, most) for cell in row] for row in body]


def _histogram(column: str, counts: Mapping[str, int]) -> str:
    """A bar for each class, of the most frequent ones where there are many."""
    most = max(counts.values(), default=0) or 1
    ranked = list(counts.items())
    if len(ranked) > CLASSES:
        ranked = sorted(ranked, key=lambda item: -item[1])[:CLASSES]
    sign = "█" if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else "#"
    rows = [
        [f"  {_screen.fitted(one_line(name), 30)}", f"{count:,}", sign * round(_BAR * count / most)]
        for name, count in ranked
    ]
    title = f"{_screen.bold(column)}  {len(counts):,} classes"
    left = len(counts) - len(ranked)
    rest = (
        f"\n  {_screen.dim(f'and {left:,} more classes with fewer rows, or as many')}"
        if left
        else ""
    )
    return f"{title}\n{_screen.columns(rows, right=(1,))}{rest}"


def _write(taken: "Sample", rows: int, path: Path, *, as_json: bool) -> None:
    """The pictures with their classes, as PNG."""
    from dshub.cli._sheets import captioned

    found = _pictures(taken, rows)
    if not found:
        raise click.UsageError(f"{taken.manifest.name} has no column of pictures")
    classes = [n for n, item in taken.dataset.features.items() if isinstance(item, LabelFeature)]
    labels = taken.dataset.columns(classes)
    words = [_caption(labels[number], labels.features) for number in taken.rows(rows)]
    note = "synthetic stand-in: made up, no real data" if taken.synthetic else ""
    image = captioned(found, words, side=112, columns=8, note=note)
    try:
        image.save(path, "PNG")
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(path=str(path), action="write", reason=reason) from error
    _screen.answer(as_json, {"path": str(path), "synthetic": taken.synthetic}, lambda: str(path))


def _caption(row: Mapping[str, Any], features: Mapping[str, Feature]) -> str:
    from dshub.publishing.site.cells import words

    return ", ".join(words(row[name], feature) for name, feature in features.items())


def _open(hub: "Hub", name: str, *, as_json: bool) -> None:
    """Write the dataset's page into a new folder, and show it."""
    import tempfile
    import webbrowser

    from dshub.publishing.site.build import build, page_of

    folder = Path(tempfile.mkdtemp(prefix="dshub-preview-"))
    built = build(hub.registry, hub.store, folder, names=[name])
    page = folder / page_of(hub.registry.manifest(name))
    for line in built.notes:
        _screen.note(f"note: {line}")
    if not webbrowser.open(page.as_uri()):
        _screen.note("no browser was found; open this page in one:")
    _screen.answer(as_json, {"page": str(page)}, lambda: str(page))
