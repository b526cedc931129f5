"""Answers of commands: text for people, `--json` for programs."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _screen
from dshub.errors import DshubError

if TYPE_CHECKING:  # listing datasets downloads nothing
    from dshub.download.sources import Job


@dataclass(frozen=True)
class Answer:
    """The result of a command.

    Attributes:
        data: the object of `--json`, without its `schema`.
        text: what a person reads on standard output; empty to print nothing.
        notes: remarks for a person, on standard error after the text.
        exit_code: of the command.
        error: raised after the answer is printed, if only a part could be done.
    """

    data: Mapping[str, Any]
    text: str = ""
    notes: Sequence[str] = ()
    exit_code: int = 0
    error: DshubError | None = None


def answering(function: Callable[..., Answer]) -> Callable[..., None]:
    """Add `--json` to a command, and print the `Answer` that it returns.

    With `--json`, messages from `_screen.note` are suppressed.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
    @functools.wraps(function)
    def run(*, as_json: bool, **values: Any) -> None:
        ctx = click.get_current_context()
        ctx.meta[_screen.QUIET] = as_json
        answer = function(**values)
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
    """A dataset's upstream file for JSON."""
    return {
        "dataset": job.dataset,
        "name": job.name,
        "file": job.resource.name,
        "size": job.resource.size,
        "digest": str(job.resource.digest),
        "urls": list(job.resource.urls),
    }
