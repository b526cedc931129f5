"""`dshub cache`: what is kept on disk. Nothing else of dshub deletes."""

import click

from dshub.cli import _cache_pins, _cache_remove, _cache_show, _cache_verify


@click.group(short_help="What is kept on disk: show, check, pin and remove it.")
def command() -> None:
    """What is kept on disk: upstream files, tables, and what is unfinished.

    \b
      dshub cache du                           what takes how much
      dshub cache prune --max-size 50GB        keep within a size
      dshub cache rm mnist
    """


for part in (_cache_show, _cache_verify, _cache_remove, _cache_pins):
    for subcommand in part.COMMANDS:
        command.add_command(subcommand)
