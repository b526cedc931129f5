"""`dshub export`: a dataset as files of other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _screen
from dshub.cli._amounts import Size

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset
    from dshub.export._running import Exported
    from dshub.hub.hub import Hub


@click.command(short_help="Write a dataset as files of other programs.")
@click.argument("name", metavar="NAME[:SPLIT]", type=_screen.DatasetName())
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--to",
    required=True,
    metavar="FORMAT",
    help="parquet, arrow, webdataset, tfrecord, recordio, imagefolder, csv, jsonl or npz.",
)
@click.option("--shard-size", type=Size(), default="500MB", help="Of a file, about (500MB).")
@click.option("--columns", metavar="A,B", help="Only these columns.")
@click.option("--force", is_flag=True, help="Replace what is there of another export.")
@_screen.json_option
def command(
    name: str,
    dest: Path,
    to: str,
    shard_size: int,
    columns: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write NAME, or a split of it, to the folder DEST.

    \b
      dshub export mnist --to parquet exported/
      dshub export 'cifar-10:train[:10%]' --to imagefolder pictures/
      dshub export ag-news:test --to csv exported/ --columns text,label

    Files are train-00000-of-00012.parquet and so on; each has its name only when it is complete.
    Interrupt it at any time: the next run goes on where this one stopped.
    """
    from dshub.export._running import export
    from dshub.hub.hub import Hub

    hub = Hub()
    splits = _splits(hub, *_parts(name), columns)
    done = export(
        splits, to, dest, shard_size=max(shard_size, 1), force=force, progress=hub.progress
    )
    data = {"format": to, "destination": str(dest), "splits": _plain(done)}
    _screen.answer(as_json, data, lambda: _text(done, dest))


def _parts(text: str) -> tuple[str, str | None]:
    """The name and the split of `NAME:SPLIT`; the path of a manifest may have a colon too."""
    start = len("hf:") if text.startswith("hf:") else 0
    start = max(start, text.rfind(".toml"))
    name, _, split = text[start:].partition(":")
    return text[:start] + name, split or None


def _splits(hub: "Hub", name: str, split: str | None, columns: str | None) -> "dict[str, Dataset]":
    chosen = [part.strip() for part in columns.split(",")] if columns else None
    if split is not None:
        return {split: hub.load(name, split, columns=chosen)}
    return dict(hub.load(name, columns=chosen))


def _plain(done: "Exported") -> dict[str, Any]:
    return {
        split: {
            "rows": item.rows,
            "shards": item.shards,
            "kept": item.kept,
            "files": [str(path) for path in item.files],
        }
        for split, item in done.items()
    }


def _text(done: "Exported", dest: Path) -> str:
    lines = []
    for split, item in done.items():
        count = len(item.files)
        files = item.files[0].name if count == 1 else f"{count} files"
        kept = f", {item.kept} of {item.shards} shards were there" if item.kept else ""
        lines.append(f"{_screen.bold(split)}  {item.rows:,} rows in {files}{kept}")
    return "\n".join([*lines, _screen.dim(f"in {_screen.short_path(dest)}")])
