"""Command `dshub export`: export a dataset to other file formats."""

from dataclasses import asdict
from pathlib import Path

import click

from dshub.cli import _screen
from dshub.cli._amounts import Size
from dshub.cli._answer import Answer, answering
from dshub.datasets.dataset import Dataset
from dshub.export._running import Exported, export
from dshub.hub.hub import Hub
from dshub.hub.request import name_and_split


@click.command()
@click.argument("name", metavar="NAME[:SPLIT]", type=_screen.DatasetName())
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--to",
    required=True,
    metavar="FORMAT",
    help="File format: parquet, arrow, webdataset, tfrecord, recordio, imagefolder, csv, jsonl or "
    "npz.",
)
@click.option(
    "--shard-size", type=Size(), default="500MB", show_default=True, help="Approximate file size."
)
@click.option("--columns", metavar="A,B", help="Export only these columns.")
@click.option("--force", is_flag=True, help="Replace the files of an earlier export.")
@answering
def command(
    name: str,
    dest: Path,
    to: str,
    shard_size: int,
    columns: str | None,
    force: bool,
) -> Answer:
    """Export a dataset to other file formats.

    \b
      dshub export mnist --to parquet exported/
      dshub export 'cifar-10:train[:10%]' --to imagefolder images/
      dshub export ag-news:test --to csv exported/ --columns text,label

    All splits of NAME, or only SPLIT, are written to the folder DEST as
    train-00000-of-00012.parquet and so on. Files appear in DEST when they are complete. Run the
    command again to resume an interrupted export.
    """
    hub = Hub()
    splits = _splits(hub, *name_and_split(name), columns)
    done = export(
        splits, to, dest, shard_size=max(shard_size, 1), force=force, progress=hub.progress
    )
    plain = {
        split: {**asdict(item), "files": [str(path) for path in item.files]}
        for split, item in done.items()
    }
    return Answer({"format": to, "destination": str(dest), "splits": plain}, _text(done, dest))


def _splits(hub: Hub, name: str, split: str | None, columns: str | None) -> dict[str, Dataset]:
    chosen = [part.strip() for part in columns.split(",")] if columns else None
    if split is not None:
        return {split: hub.load(name, split, columns=chosen)}
    return dict(hub.load(name, columns=chosen))


def _text(done: Exported, dest: Path) -> str:
    lines: list[tuple[str, str, str]] = []
    for split, item in done.items():
        count = len(item.files)
        files = item.files[0].name if count == 1 else f"{count} files"
        kept = f", {item.kept} of {item.shards} shards existed already" if item.kept else ""
        lines.append((_screen.bold(split), f"{item.rows:,} rows", f"{files}{kept}"))
    written = _screen.dim(f"written to {_screen.short_path(dest)}")
    return f"{_screen.columns(lines, right=(1,))}\n{written}"
