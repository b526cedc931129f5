"""Command `dshub prepare`: prepare tables for loading, also with smaller images."""

import os
import re
from collections.abc import Iterable
from typing import Any

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.datasets.resizing import Encoding
from dshub.errors import ArgumentError
from dshub.hub.hub import Hub
from dshub.hub.resized import ResizedSplit, Resizer
from dshub.progress import size as bytes_text


class ImageSize(click.ParamType):
    """Parameter type for `256` (shorter side) or `240x320` (height and width)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        matched = re.fullmatch(r"([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?", str(value))
        if matched is None:
            self.fail(f"{value!r} is not a length or HEIGHTxWIDTH, such as 256", param, ctx)
        height, width = matched.groups()
        return int(height) if width is None else (int(height), int(width))


class Encoded(click.ParamType):
    """Parameter type for an encoding of `Dataset.resize`."""

    name = "encoding"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            Encoding.parse(value)
        except ArgumentError as error:
            self.fail(f"{value!r} is not {error.expected}", param, ctx)
        return value


@click.command()
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@click.option(
    "--image-size",
    type=ImageSize(),
    help="Also store smaller images: a length for the shorter side, or HEIGHTxWIDTH.",
)
@click.option(
    "--encode",
    type=Encoded(),
    metavar="jpeg:90|raw",
    help="Encoding of smaller images: JPEG of a quality, or raw pixels, which are never decoded.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Number of processes for smaller images (default: one for each core).",
)
@click.option("--dry-run", is_flag=True, help="Estimate sizes of smaller images; store nothing.")
@answering
def command(
    names: tuple[str, ...],
    image_size: int | tuple[int, int] | None,
    encode: str | None,
    workers: int | None,
    dry_run: bool,
) -> Answer:
    """Prepare tables for loading.

    \b
      dshub fetch mnist --no-prepare
      dshub prepare mnist
      dshub prepare food-101 --image-size 256 --dry-run
      dshub prepare food-101 --image-size 256 --encode raw

    Missing files of NAMES (datasets or families) are downloaded.

    Training from smaller images is several times as fast. `load(NAME, split).resize(256).cache()`
    opens them in Python.
    """
    if image_size is None and (encode or workers or dry_run):
        raise click.UsageError("--encode, --workers and --dry-run require --image-size")
    hub = Hub()
    if image_size is not None:
        resizer = Resizer(hub, image_size, encode, workers or _cores())
        return _resized(resizer, names, dry_run=dry_run)
    plan = hub.plan(hub.resolve(names), files=False)
    tables = [str(path) for path in hub.run(plan).tables.values()]
    return Answer({"tables": tables}, "\n".join(tables))


def _resized(resizer: Resizer, names: tuple[str, ...], *, dry_run: bool) -> Answer:
    estimated = resizer.estimate(names)
    for split in estimated:
        amount = f"about {bytes_text(split.size)} instead of {bytes_text(split.original)}"
        _screen.note(f"{split.dataset} {split.split}: {split.rows:,} rows, {amount}")
    splits = estimated if dry_run else list(resizer.write(names))
    rows = [vars(split) | {"folder": split.folder and str(split.folder)} for split in splits]
    notes = [] if dry_run else [f"load them with {_call(resizer)}"]
    return Answer({"splits": rows}, _folders(splits), notes)


def _folders(splits: Iterable[ResizedSplit]) -> str:
    return "\n".join(str(split.folder) for split in splits if split.folder is not None)


def _call(resizer: Resizer) -> str:
    """Return the Python expression that opens the result."""
    encode = "" if resizer.encode is None else f', encode="{resizer.encode}"'
    return f"load(NAME, split=SPLIT).resize({resizer.size}{encode}).cache()"


def _cores() -> int:
    """Return the number of cores that this process can use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
