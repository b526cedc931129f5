"""`dshub list`: what there is."""

import click

from dshub.cli import _listing, _screen


@click.command(short_help="Every dataset, a line each.")
@_screen.json_option
def command(as_json: bool) -> None:
    """Every dataset of the registry, a line each.

    \b
      dshub list
      dshub list --json | jq '.datasets[].name'
    """
    from dshub.hub import Hub

    _listing.show(Hub().registry.listing(), as_json)
