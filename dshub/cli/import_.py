"""`dshub import`: take files that are on this machine already."""

from pathlib import Path

import click

from dshub.cli import _screen


@click.command("import", short_help="Take files that are on this machine already.")
@click.argument("name", type=_screen.DatasetName())
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option("--no-prepare", is_flag=True, help="Leave the tables for later.")
@_screen.json_option
@click.pass_context
def command(
    ctx: click.Context, name: str, paths: tuple[Path, ...], no_prepare: bool, as_json: bool
) -> None:
    """Take the files of NAME (a dataset or family) from PATHs: files, or folders to look through.

    \b
      dshub import fashion-mnist ~/Downloads
      dshub import mnist train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz

    Files are recognised by their checksums and copied; yours are only read. A copy that was
    compressed anew is taken where the manifest knows the checksum of the content.
    """
    from dshub.hub import Hub

    hub = Hub()
    taken = hub.import_files(name, paths)
    missing = hub.plan([name]).missing
    tables = [] if missing or no_prepare else [str(path) for path in hub.prepare(name)]
    data = {
        "imported": [
            {"name": item.job.name, "dataset": item.job.dataset, "path": str(item.source)}
            | {"how": item.how}
            for item in taken
        ],
        "missing": [{"dataset": job.dataset, "name": job.name} for job in missing],
        "tables": tables,
    }
    rows = [[item.job.name, item.how, str(item.source)] for item in taken]
    _screen.answer(as_json, data, lambda: _screen.columns(rows) if rows else "")
    if not as_json:
        _tell(name, len(taken), [job.title for job in missing], bool(tables))
    ctx.exit(1 if missing else 0)


def _tell(name: str, taken: int, missing: list[str], ready: bool) -> None:
    if missing:
        _screen.note(f"{name} is not complete; not found: {', '.join(missing)}")
        _screen.note(f"hint: `dshub info {name}` tells names, sizes and checksums of its files")
    elif not taken:
        _screen.note(f"{name} was complete already")
    else:
        _screen.note(f"{name} is complete" + (" and ready to load" if ready else ""))
