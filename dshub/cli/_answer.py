"""Print the results of commands as text or JSON."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _screen
from dshub.errors import DshubError

if TYPE_CHECKING:  # avoids importing the downloader for every command
    from dshub.download.sources import Job


@dataclass(frozen=True)
class Answer:
    """The result of a command.

    Attributes:
        data: object to print with `--json`, without `schema`.
        text: text to print on standard output without `--json`; empty to print nothing.
        notes: messages to print on standard error after the text.
        exit_code: exit code of the command.
        error: error to raise after printing the result of a partly successful command.
    """

    data: Mapping[str, Any]
    text: str = ""
    notes: Sequence[str] = ()
    exit_code: int = 0
    error: DshubError | None = None


def answering(function: Callable[..., Answer]) -> Callable[..., None]:
    """Add the option `--json` to a command, and print the `Answer` that the command returns.

    With `--json`, messages from `_screen.note` are suppressed.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @functools.wraps(function)
    def run(*, as_json: bool, **values: Any) -> None:
        ctx = click.get_current_context()
        ctx.meta[_screen.QUIET] = as_json
        try:
            answer = function(**values)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # for the hint, which names the command
            raise
        if as_json:
            click.echo(_screen.as_text({"schema": _screen.SCHEMA, **answer.data}, indent=1))
        elif answer.text:
            _screen.echo(answer.text)
        for message in answer.notes:
            _screen.note(message)
        if answer.error is not None:
            raise answer.error
        if answer.exit_code:
            ctx.exit(answer.exit_code)

    return run


def plain_file(job: "Job") -> dict[str, Any]:
    """Return an upstream file as a JSON object."""
    return {
        "dataset": job.dataset,
        "name": job.name,
        "file": job.resource.name,
        "size": job.resource.size,
        "digest": str(job.resource.digest),
        "urls": list(job.resource.urls),
    }
