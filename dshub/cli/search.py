"""`dshub search`: search datasets by keyword."""

import click

from dshub.cli._answer import Answer, answering
from dshub.cli.list import listing
from dshub.hub.hub import Hub


@click.command()
@click.argument("words", nargs=-1, required=True)
@answering
def command(words: tuple[str, ...]) -> Answer:
    """Search datasets by keyword.

    \b
      dshub search handwritten
      dshub search trouser

    A dataset matches if every WORD occurs in its name, title, summary, task, tags or classes.
    """
    matches = Hub().registry.listing(words)
    if matches:
        return listing(matches)
    return listing((), f"no dataset matches {' and '.join(words)}; `dshub list` lists all")
