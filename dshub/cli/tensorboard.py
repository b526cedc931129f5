"""Command `dshub tensorboard`: log a dataset for TensorBoard."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from dshub.adapters.tensorboard import MAX_POINTS, Logged, log, summary_writer
from dshub.cache.disk import disk_faults
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.datasets.dataset import Dataset
from dshub.hub.hub import Hub
from dshub.hub.request import name_and_split


@click.command()
@click.argument("name", metavar="NAME[:SPLIT]", type=_screen.DatasetName())
@click.option("--split", help="Split or slice to log (default: every split).")
@click.option(
    "--logdir",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the logs, which has a folder for each split.",
)
@click.option(
    "--points",
    type=click.IntRange(0, MAX_POINTS),
    default=1024,
    show_default=True,
    help="Maximum number of rows in the projector.",
)
@click.option("--epoch/--no-epoch", default=True, help="Read all rows once to log the speed.")
@answering
def command(name: str, split: str | None, logdir: Path, points: int, epoch: bool) -> Answer:
    """Log a dataset for TensorBoard.

    \b
      dshub tensorboard fashion-mnist --logdir runs
      dshub tensorboard 'speech-commands/v0.02:train[:10%]' --logdir runs
      tensorboard --logdir runs

    Logs a grid of images and audio for each class, a few rows as text, histograms of classes,
    numbers and lengths, points for the projector, and the speed of an epoch. The dataset is
    downloaded and prepared if necessary. Each split is a run, DIR/NAME/SPLIT, and replaces an
    earlier log of that split. Needs `pip install 'dshub[tensorboard]'`.
    """
    hub = Hub()
    name, inline = name_and_split(name)
    if split and inline:
        raise click.UsageError("name one split: NAME:SPLIT or --split SPLIT")
    summary_writer()  # fails before the download
    with disk_faults(logdir, "write", hint="choose another folder with --logdir"):
        logdir.mkdir(parents=True, exist_ok=True)
    splits = _splits(hub, name, split or inline)
    runs, logs = dict[str, Path](), dict[str, Logged]()
    for key, dataset in splits.items():
        manifest = dataset.manifest
        title = manifest.name if manifest is not None else name.removeprefix("hf:")
        runs[key] = logdir / title / key.replace(":", "..")  # Windows has no `:` in names
        logs[key] = log(dataset, runs[key], points=points, epoch=epoch)
    answers = {
        key: {"rows": len(splits[key]), "run": str(runs[key]), **asdict(done)}
        for key, done in logs.items()
    }
    return Answer({"logdir": str(logdir), "splits": answers}, _text(splits, logs, logdir))


def _splits(hub: Hub, name: str, split: str | None) -> Mapping[str, Dataset]:
    return dict(hub.load(name)) if split is None else {split: hub.load(name, split)}


def _text(splits: Mapping[str, Dataset], logs: Mapping[str, Logged], logdir: Path) -> str:
    lines = []
    for key, done in logs.items():
        count = sum(map(len, done.tags.values()))
        speed = "" if done.rows_per_second is None else f"{done.rows_per_second:,.0f} rows/s"
        cells = [f"{len(splits[key]):,} rows", f"{count} tags", f"{done.points:,} points", speed]
        lines.append([_screen.bold(key), *cells])
    command = f"tensorboard --logdir {shlex.quote(_screen.short_path(logdir))}"
    shown = _screen.columns(lines, right=(1, 2, 3, 4))
    return f"{shown}\n{_screen.dim(f'written; run `{command}`')}"
