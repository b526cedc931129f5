"""Command `dshub site`: write web pages about datasets."""

from pathlib import Path

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub


@click.command()
@click.argument("folder", metavar="DEST", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--title", default="Datasets", show_default=True, help="Title of the first page.")
@answering
def command(folder: Path, names: tuple[str, ...], title: str) -> Answer:
    """Write web pages about datasets.

    \b
      dshub site ./catalog
      dshub site /srv/www/datasets mnist emnist glue --title "Our data"

    Writes a page for each of NAMES (datasets or families), or for all datasets, to the folder DEST.
    Sample rows come from cached tables. Without a table, they are synthetic and marked as such. The
    pages work on any web server and as local files. Only pages that changed are rewritten. If DEST
    is a mirror, pages link to its files.
    """
    from dshub.publishing.site.build import build  # imported lazily, because it needs Jinja2

    hub = Hub()
    built = build(hub.registry, hub.store, folder, names=names, title=title, progress=hub.progress)
    data = {
        "first": str(built.first),
        "written": [str(name) for name in built.written],
        "kept": built.kept,
        "removed": [str(name) for name in built.removed],
        "notes": list(built.notes),
    }
    counts = f"{len(built.written):,} written, {built.kept:,} unchanged"
    counts += f", {len(built.removed):,} removed" if built.removed else ""
    notes = [f"note: {line}" for line in built.notes]
    return Answer(data, f"{built.first}\n{_screen.dim(counts)}", notes)
