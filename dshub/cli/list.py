"""`dshub list`: what there is."""

import click

from dshub.cli import _listing, _screen


@click.command(short_help="Every dataset, a line each.")
@click.argument("words", nargs=-1, metavar="")
@_screen.json_option
def command(words: tuple[str, ...], as_json: bool) -> None:
    """Every dataset of the registry, a line each.

    \b
      dshub list
      dshub list --json | jq '.datasets[].name'
    """
    if words:
        told = " ".join(words)
        raise click.UsageError(f"list shows everything; try `dshub search {told}`, or `dshub info`")
    from dshub.hub.hub import Hub

    _listing.show(Hub().registry.listing(), as_json)
