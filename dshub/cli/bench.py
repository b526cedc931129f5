"""Command `dshub bench`: measure how fast this machine loads a dataset."""

from typing import Any

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.datasets.split_expressions import find_parts
from dshub.hub.hub import Hub
from dshub.hub.request import name_and_split
from dshub.hub.speed import Speed, measure
from dshub.progress import size as bytes_text


@click.command()
@click.argument("name", metavar="NAME[:SPLIT]", type=_screen.DatasetName())
@click.option("--split", help="Split or slice to measure (default: the first split).")
@click.option("--image-size", type=click.IntRange(1), help="Measure smaller images, as prepared.")
@click.option("--encode", metavar="jpeg:90|raw", help="Encoding of the smaller images.")
@click.option("--batch", type=click.IntRange(1), default=64, help="Rows per batch (default: 64).")
@click.option(
    "--step", type=click.FloatRange(0.001), help="Milliseconds of a training step without loading."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.01),
    default=2.0,
    help="Seconds for each measurement (default: 2).",
)
@answering
def command(
    name: str,
    split: str | None,
    image_size: int | None,
    encode: str | None,
    batch: int,
    step: float | None,
    seconds: float,
) -> Answer:
    """Measure how fast this machine loads a dataset.

    \b
      dshub bench food-101
      dshub bench food-101 --step 80
      dshub bench food-101 --image-size 256 --encode raw

    Prints what the disk, the decoder, the cores and the whole loop achieve in shuffled batches, and
    which of them limits training. Missing files are downloaded, and smaller images are prepared.
    """
    hub = Hub()
    name, inline = name_and_split(name)
    if split and inline:
        raise click.UsageError("name one split: NAME:SPLIT or --split SPLIT")
    if encode and image_size is None:
        raise click.UsageError("--encode requires --image-size")
    manifest = hub.info(name)
    chosen = split or inline or next(iter(manifest.splits))
    find_parts(manifest.name, chosen, manifest.splits)  # reports errors before a download
    rows: Any = hub.load(name, split=chosen)
    if image_size is not None:
        rows = rows.resize(image_size, encode=encode).cache(folder=hub.settings.cache)
    speed = measure(rows, size=batch, seconds=seconds, step=step and step / 1000)
    title = f"{manifest.identifier} {chosen}: {len(rows):,} rows"
    return Answer(_data(speed, manifest.identifier, chosen, len(rows), batch), _text(speed, title))


def _data(speed: Speed, dataset: str, split: str, rows: int, batch: int) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "split": split,
        "rows": rows,
        "batch": batch,
        "cores": speed.cores,
        "decoder": speed.decoder,
        "transform": speed.transform,
        "stages": [
            {
                "name": stage.name,
                "rows_per_second": stage.rows,
                "bytes_per_second": stage.bytes,
            }
            for stage in speed.stages
        ],
        "binds": speed.binds,
        "advice": speed.advice,
    }


def _text(speed: Speed, title: str) -> str:
    facts = [f"{speed.cores} core{'s' * (speed.cores > 1)}"]
    facts += [f"decoder {speed.decoder}"] if speed.decoder else []
    lines = [["", "rows/s", "bytes/s"]]
    for stage in speed.stages:
        words = stage.name
        if stage.name == "loop" and speed.transform:
            words = f"loop: {speed.transform}"
        amount = "" if stage.bytes is None else f"{bytes_text(int(stage.bytes))}/s"
        lines.append([words, f"{stage.rows:,.0f}", amount])
    table = _screen.columns(lines, right=(1, 2))
    bound = f"{_screen.bold(speed.binds)} binds: {speed.advice}"
    return f"{_screen.bold(title)}\n{', '.join(facts)}\n\n{table}\n\n{bound}"
