"""`dshub prepare`: make the tables."""

import click

from dshub.cli import _screen


@click.command(short_help="Make the tables that `load` opens.")
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@_screen.json_option
def command(names: tuple[str, ...], as_json: bool) -> None:
    """Make the tables of NAMES from their files, which are fetched where they are missing.

    \b
      dshub fetch mnist --no-prepare
      dshub prepare mnist
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    plan = hub.plan(hub.resolve(names), files=False)
    tables = [str(path) for path in hub.run(plan).tables.values()]
    _screen.answer(as_json, {"tables": tables}, lambda: "\n".join(tables))
