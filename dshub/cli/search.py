"""`dshub search`: datasets in which some words occur."""

import click

from dshub.cli import _listing, _screen


@click.command(short_help="Datasets in which all of some words occur.")
@click.argument("words", nargs=-1, required=True)
@_screen.json_option
def command(words: tuple[str, ...], as_json: bool) -> None:
    """Datasets in whose name, title, summary, task, tags or classes all WORDS occur.

    \b
      dshub search handwritten
      dshub search trouser
    """
    from dshub.hub.hub import Hub

    found = Hub().registry.listing(words)
    if not found and not as_json:
        _screen.note(f"nothing mentions {' and '.join(words)}; `dshub list` shows everything")
    _listing.show(found, as_json)
