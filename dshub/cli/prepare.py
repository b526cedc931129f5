"""Command `dshub prepare`: prepare tables for loading."""

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub


@click.command()
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@answering
def command(names: tuple[str, ...]) -> Answer:
    """Prepare tables for loading.

    \b
      dshub fetch mnist --no-prepare
      dshub prepare mnist

    Missing files of NAMES (datasets or families) are downloaded.
    """
    hub = Hub()
    plan = hub.plan(hub.resolve(names), files=False)
    tables = [str(path) for path in hub.run(plan).tables.values()]
    return Answer({"tables": tables}, "\n".join(tables))
