"""Ask before removing much: one rule for every command that removes."""

import sys
from typing import TYPE_CHECKING

import click

from dshub.cache.usage import Removals
from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.display import flat
from dshub.errors import DshubError
from dshub.progress import size

if TYPE_CHECKING:  # `dshub cache` needs no mirrors
    from dshub.mirrors.checking import Pruning

LARGE = 10 * 10**9  # bytes to remove without asking

yes_option = click.option("--yes", is_flag=True, help="Do not ask before removing.")


def confirm(listing: str, removal: "Removals | Pruning", *, yes: bool) -> None:
    """Ask before everything goes, more than `LARGE`, or what cannot be downloaded again.

    Args:
        listing: a table of what would be removed.
        removal: its size, and whether nothing useful stays or something cannot be replaced.
        yes: the user has confirmed it in the call.

    Raises:
        UsageError: no terminal is available.
        DshubError: the answer was no.
    """
    reasons, lost = [], removal.irreplaceable
    if removal.everything or removal.size > LARGE:
        reasons.append(f"this removes {'everything, ' * removal.everything}{size(removal.size)}")
    if lost:
        names = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
        reasons.append(f"{counted(len(lost), 'item')} cannot be downloaded again ({names})")
    if yes or not reasons:
        return
    question = "; ".join(reasons)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(
            f"{question}. Nothing was removed; pass --yes to confirm, or --dry-run to preview"
        )
    _screen.echo(listing, err=True)
    _screen.echo(flat(question), err=True)
    if not click.confirm("Remove it?", err=True):
        raise DshubError("nothing was removed")
