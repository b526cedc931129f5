"""Report errors in one style: as two lines of text, or as a JSON object with `--json`."""

import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from dshub.cli import _screen
from dshub.display import redacted
from dshub.errors import DshubError

USAGE_ERROR = "UsageError"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An error as shown to users.

    Attributes:
        type: name of the class in `dshub.errors`; `UsageError` for a wrong command line,
            `Interrupted` or `Terminated` for a signal.
        message: first line of the message.
        hint: next step, or empty.
        exit_code: exit code of the command.
        details: further lines of the message, such as the error of each source.
    """

    type: str
    message: str
    hint: str = ""
    exit_code: int
    details: Sequence[str] = ()

    def report(self) -> int:
        """Print the error on standard error, and return the exit code."""
        if "--json" in sys.argv:
            data = asdict(self) | {"message": self.message.removesuffix(":")}
            _screen.echo(_screen.as_text({"schema": _screen.SCHEMA, **data}), err=True)
            return self.exit_code
        lines = "\n  ".join([self.message, *self.details])
        _screen.echo(f"{_screen.bold(_screen.colored('error:', 'red'))} {lines}", err=True)
        if self.hint:
            _screen.echo(f"{_screen.colored('hint:', 'cyan')} {self.hint}", err=True)
        return self.exit_code


def of_error(error: DshubError) -> Failure:
    """Return the failure for an exception, after printing its traceback with `--debug`."""
    if "--debug" in sys.argv:
        _screen.echo(redacted("".join(traceback.format_exception(error))), err=True)
    message, *details = str(error).split("\n  ")
    return Failure(
        type=type(error).__name__,
        message=message,
        hint=error.hint,
        exit_code=error.exit_code,
        details=details,
    )


def of_usage(error: click.ClickException) -> Failure:
    """Return the failure for a wrong command line, in the style of dshub's own messages."""
    text = " ".join(redacted(error.format_message()).split()).removesuffix(".")
    text = re.sub(r"^[A-Z](?=[a-z])", lambda match: match[0].lower(), text)
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"run `{context.command_path if context else 'dshub'} --help`"
    return Failure(type=USAGE_ERROR, message=text, hint=hint, exit_code=error.exit_code)
