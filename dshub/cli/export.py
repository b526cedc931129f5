"""Command `dshub export`: export a dataset to other file formats."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from dshub import plugins
from dshub.cache.disk import disk_faults
from dshub.cli import _screen
from dshub.cli._amounts import Size
from dshub.cli._answer import Answer, answering
from dshub.datasets.dataset import Dataset
from dshub.datasets.selection import unknown_column
from dshub.datasets.split_expressions import find_parts
from dshub.export._rows import Exporter, Rows
from dshub.export._running import Exported, export, read
from dshub.hub.hub import Hub
from dshub.hub.request import name_and_split
from dshub.tables.types import arrow_schema


@click.command()
@click.argument("name", metavar="NAME[:SPLIT]", type=_screen.DatasetName())
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--to",
    required=True,
    metavar="FORMAT",
    help="File format: parquet, arrow, webdataset, tfrecord, recordio, imagefolder, csv, jsonl, "
    "npz or nltk.",
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
    command again to resume an interrupted export. Format, splits and columns are checked before
    anything is downloaded.
    """
    hub = Hub()
    name, split = name_and_split(name)
    chosen = [part.strip() for part in columns.split(",")] if columns else None
    _check(hub, name, split, chosen, to)
    with disk_faults(dest, "write", hint="choose another folder"):
        read(dest, to)  # fails on an export in another format
        dest.mkdir(parents=True, exist_ok=True)
    splits = _splits(hub, name, split, chosen)
    done = export(
        splits, to, dest, shard_size=max(shard_size, 1), force=force, progress=hub.progress
    )
    plain = {
        split: {**asdict(item), "files": [str(path) for path in item.files]}
        for split, item in done.items()
    }
    usage = plugins.module("export", to).exporter.usage(dest)
    text = "\n".join(filter(None, [_text(done, dest), usage]))
    return Answer({"format": to, "destination": str(dest), "splits": plain}, text)


def _check(
    hub: Hub, name: str, expression: str | None, columns: Sequence[str] | None, to: str
) -> None:
    """Check format, splits and columns before the dataset is downloaded or prepared.

    Raises:
        UnknownNameError, SplitError: the format, a split or a column does not exist.
        DshubError: the format cannot hold a column.
    """
    exporter: Exporter = plugins.module("export", to).exporter
    if name.startswith("hf:"):
        return  # without a manifest, columns are known after the download only
    manifest = hub.info(name)
    parts = find_parts(manifest.name, expression, manifest.splits) if expression else ()
    for split in dict.fromkeys(part.split for part in parts) or manifest.splits:
        features = manifest.split_features(split)
        for column in columns or ():
            if column not in features:
                raise unknown_column(column, features, manifest)
        features = {column: features[column] for column in columns or features}
        empty = Dataset.from_arrow(arrow_schema(features).empty_table(), features=features)
        title = f"{manifest.identifier}, split {split}"
        exporter.check(Rows(empty, title, 0, manifest.splits[split].rows, 1))


def _splits(
    hub: Hub, name: str, split: str | None, columns: Sequence[str] | None
) -> dict[str, Dataset]:
    if split is not None:
        return {split: hub.load(name, split, columns=columns)}
    return dict(hub.load(name, columns=columns))


def _text(done: Exported, dest: Path) -> str:
    lines: list[tuple[str, str, str]] = []
    for split, item in done.items():
        count = len(item.files)
        files = item.files[0].name if count == 1 else f"{count} files"
        kept = f", {item.kept} of {item.shards} shards existed already" if item.kept else ""
        lines.append((_screen.bold(split), f"{item.rows:,} rows", f"{files}{kept}"))
    written = _screen.dim(f"written to {_screen.short_path(dest)}")
    return f"{_screen.columns(lines, right=(1,))}\n{written}"
