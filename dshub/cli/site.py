"""`dshub site`: build web pages of datasets."""

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
    """Write the catalog as web pages.

    \b
      dshub site ./catalog
      dshub site /srv/www/datasets mnist emnist glue --title "Our data"

    Writes a page for every dataset, or for NAMES (datasets or families), into DEST. Samples come
    from cached tables; otherwise they are synthetic and labeled as such. The pages work on any
    web server, or opened from disk. Rerunning writes only pages that changed. If DEST is a
    mirror, pages link to its files.
    """
    from dshub.publishing.site.build import build  # needs an extra, which `--help` does not

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
