"""Command `dshub search`: search datasets by keyword."""

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

    A dataset matches if its name, title, summary, task, tags and classes contain all WORDS.
    """
    matches = Hub().registry.listing(words)
    if matches:
        return listing(matches)
    query = " and ".join(words)
    return listing((), f"no dataset matches {query}; run `dshub list` to list all datasets")
