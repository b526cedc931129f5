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
      dshub search imdb_reviews

    A dataset matches if its name, names in other libraries, title, summary, task, tags and classes
    contain all WORDS. Case, blanks, - and _ do not matter. The best matches come first.
    """
    registry = Hub().registry
    matches = registry.listing(words)
    if matches:
        return listing(matches)
    near = " or ".join(registry.near(words))
    advice = f"did you mean {near}?" if near else "run `dshub list` to list all datasets"
    return listing((), f"no dataset matches {' and '.join(words)}; {advice}")
