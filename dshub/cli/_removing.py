"""Ask before removing much: one rule for every command that removes."""

import sys
from collections.abc import Sequence

import click

from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.display import flat
from dshub.errors import DshubError
from dshub.progress import size

LARGE = 10 * 10**9  # bytes to remove without asking

yes_option = click.option("--yes", is_flag=True, help="Do not ask before removing.")


def confirm(
    listing: str,
    *,
    bytes_: int,
    everything: bool,
    irreplaceable: Sequence[str],
    yes: bool,
) -> None:
    """Ask before everything goes, more than `LARGE`, or what cannot be downloaded again.

    Args:
        listing: a table of what would be removed.
        bytes_: total size.
        everything: whether nothing useful stays.
        irreplaceable: names of items that cannot be downloaded again.
        yes: the user has confirmed it in the call.

    Raises:
        UsageError: no terminal is available.
        DshubError: the answer was no.
    """
    reasons = []
    if everything or bytes_ > LARGE:
        reasons.append(f"this removes {'everything, ' if everything else ''}{size(bytes_)}")
    if irreplaceable:
        names = ", ".join(irreplaceable[:3]) + (", …" if len(irreplaceable) > 3 else "")
        reasons.append(
            f"{counted(len(irreplaceable), 'item')} cannot be downloaded again ({names})"
        )
    if yes or not reasons:
        return
    question = "; ".join(reasons)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(
            f"{question}. Nothing was removed: --yes confirms it, --dry-run shows what would go"
        )
    _screen.echo(listing, err=True)
    _screen.echo(flat(question), err=True)
    if not click.confirm("Remove it?", err=True):
        raise DshubError("nothing was removed")
