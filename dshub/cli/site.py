"""`dshub site`: the catalogue as pages in a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dshub.cli import _screen

if TYPE_CHECKING:
    from dshub.publishing.site.build import Built


@click.command(short_help="Write the catalogue as pages into a folder.")
@click.argument("folder", metavar="DEST", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--title", default="Datasets", show_default=True, help="Of the first page.")
@_screen.json_option
def command(folder: Path, names: tuple[str, ...], title: str, as_json: bool) -> None:
    """Write pages that show every dataset, or NAMES and families, into the folder DEST.

    \b
      dshub site ./catalogue
      dshub site /srv/www/datasets mnist emnist glue --title "Our data"

    Samples come from tables in the cache, or from synthetic stand-ins, labelled as such. The
    pages work from any web server and from the folder itself. Running it again writes what
    changed. DEST may be a mirror: its files are then linked.
    """
    from dshub.hub.hub import Hub
    from dshub.publishing.site.build import build

    hub = Hub()
    built = build(hub.registry, hub.store, folder, names=names, title=title, progress=hub.progress)
    for line in built.notes:
        _screen.note(f"note: {line}")
    data = {
        "first": str(built.first),
        "written": [str(name) for name in built.written],
        "kept": built.kept,
        "removed": [str(name) for name in built.removed],
        "notes": list(built.notes),
    }
    _screen.answer(as_json, data, lambda: _text(built))


def _text(built: "Built") -> str:
    changed = f"{len(built.written):,} written, {built.kept:,} unchanged"
    gone = f", {len(built.removed):,} removed" if built.removed else ""
    return f"{built.first}\n{_screen.dim(changed + gone)}"
