"""Ask for confirmation before large or irreversible removals."""

import sys
from typing import TYPE_CHECKING

import click

from dshub.cache.usage import Removals
from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.display import flat
from dshub.errors import DshubError
from dshub.progress import size

if TYPE_CHECKING:  # `dshub cache` does not need mirrors
    from dshub.mirrors.checking import Pruning

LARGE = 10 * 10**9  # bytes; larger removals need confirmation

yes_option = click.option("--yes", is_flag=True, help="Remove without asking.")


def confirm(listing: str, removal: "Removals | Pruning", *, yes: bool) -> None:
    """Ask for confirmation if a removal is large, complete or irreversible.

    Args:
        listing: table of the items to remove.
        removal: planned removal.
        yes: True to skip the question.

    Raises:
        UsageError: confirmation is necessary, but the command does not run in a terminal.
        DshubError: the user answered no.
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
        raise DshubError("the removal was not confirmed; nothing was removed")
