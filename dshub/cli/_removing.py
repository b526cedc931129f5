"""Asking before much is removed: one rule for every command that removes."""

import sys
from collections.abc import Callable, Sequence

import click

from dshub.cli import _screen
from dshub.cli._amounts import things
from dshub.errors import DshubError
from dshub.progress import size

LARGE = 10 * 10**9  # bytes that go without a question

yes_option = click.option("--yes", is_flag=True, help="Remove without asking, as in a script.")


def confirm(
    listing: Callable[[], str],
    *,
    bytes_: int,
    everything: bool,
    irreplaceable: Sequence[str],
    yes: bool,
) -> None:
    """Ask before everything goes, more than `LARGE`, or what cannot be downloaded again.

    Args:
        listing: says what would go.
        bytes_: how much that is.
        everything: whether nothing of use stays.
        irreplaceable: what of it cannot be downloaded again.
        yes: the user has confirmed it in the call.

    Raises:
        UsageError: there is no terminal to ask on.
        DshubError: the answer is no.
    """
    reasons = [f"this removes everything, {size(bytes_)}"] if everything else []
    if bytes_ > LARGE and not everything:
        reasons.append(f"this removes {size(bytes_)}")
    if irreplaceable:
        names = ", ".join(irreplaceable[:3]) + (", …" if len(irreplaceable) > 3 else "")
        reasons.append(f"{things(len(irreplaceable))} cannot be downloaded again ({names})")
    if yes or not reasons:
        return
    question = "; ".join(reasons)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(
            f"{question}. Nothing was removed: --yes confirms it, --dry-run shows what would go"
        )
    _screen.note(listing())
    _screen.note(question)
    if not click.confirm("Remove it?", err=True):
        raise DshubError("nothing was removed")
