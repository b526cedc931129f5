"""The command `dshub`: one file per command, loaded when it is run.

Data goes to standard output, everything else to standard error. Every command that answers has
`--json`, an object with a `schema` number. Exit codes are those of `dshub.errors`; 2 is a wrong
call, 130 an interruption, after which whatever was fetched is kept.
"""

import codecs
import io
import os
import signal
import sys
from typing import Any, cast

import click

from dshub import __version__, plugins
from dshub.cli import _screen
from dshub.display import harmless, one_line, redacted
from dshub.errors import DshubError

MEANT = {  # what other programs call it
    "clean": "cache gc",
    "clear": "cache rm",
    "convert": "export",
    "delete": "cache rm",
    "describe": "info",
    "download": "fetch",
    "du": "cache du",
    "get": "fetch",
    "head": "preview",
    "load": "fetch",
    "ls": "list",
    "pull": "fetch",
    "remove": "cache rm",
    "rm": "cache rm",
    "show": "info",
    "status": "cache ls",
    "version": "--version",
    "view": "preview",
}

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """Somebody ended the process with SIGTERM; like KeyboardInterrupt, no error of the program."""


class Commands(click.Group):
    """Finds a command in the file of its name."""

    # The signatures are click's.

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*plugins.names("cli")]  # `list` is the command, once it is imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in plugins.built_in("cli") and cmd_name not in plugins.names("cli"):
            return None
        return cast("click.Command", plugins.module("cli", cmd_name).command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no command {args[0]!r}.{self._meant(ctx, *args)}")
        return super().resolve_command(ctx, args)

    def _meant(self, ctx: click.Context, name: str, *rest: str) -> str:
        """What somebody may have meant by a command that there is not."""
        import difflib

        if name == "help":
            return f" Did you mean `dshub {' '.join([*rest, '--help'])}`?"
        close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
        meant = MEANT.get(name) or next(iter(close), None)
        return f" Did you mean `dshub {meant}`?" if meant else ""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output went away: `dshub list | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dshub")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def group(debug: bool) -> None:
    """Datasets onto this machine, verified, and into your training loop, fast.

    \b
      dshub demo                     see it work, without any network
      dshub list                     what there is
      dshub fetch fashion-mnist      get it, verified and ready to load
      python -c "import dshub; print(dshub.load('fashion-mnist'))"

    Settings are environment variables: DSHUB_CACHE, DSHUB_MIRROR, DSHUB_OFFLINE and others,
    see docs/settings.md. For completion in your shell, see docs/cli.md.
    """
    del debug  # read by `main`, also where the group itself fails
    _set_up_log()


def main() -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _end)
    _write_what_can_be_written()
    try:
        code = group(prog_name="dshub", standalone_mode=False)
    except Terminated:
        _say("terminated; what was fetched is kept")
        code = TERMINATED
    except click.exceptions.Abort:
        _say("interrupted; what was fetched is kept")
        code = INTERRUPTED
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        _say(redacted(shown.getvalue().rstrip()))
        code = error.exit_code
    except DshubError as error:
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def _write_what_can_be_written() -> None:
    """See that a sign which standard output cannot encode costs that sign, and not the answer.

    Windows writes into files and pipes in the code page of the machine. Bytes of a name that are
    no text go out as they are.
    """
    output = sys.stdout
    if isinstance(output, io.TextIOWrapper) and output.errors == "strict":
        is_utf8 = codecs.lookup(output.encoding).name == "utf-8"
        output.reconfigure(errors="surrogateescape" if is_utf8 else "replace")


def _end(number: int, frame: object) -> None:
    del number, frame
    raise Terminated


def _explain(error: DshubError) -> int:
    if "--debug" in sys.argv:
        import traceback

        _say(redacted("".join(traceback.format_exception(error))))
    _say(f"{_screen.bold(_screen.colored('error:', 'red'))} {error}")
    if error.hint:
        _say(f"{_screen.colored('hint:', 'cyan')} {error.hint}")
    return error.exit_code


def _set_up_log() -> None:
    from dshub.settings import Settings

    level = Settings.read().log
    if level is not None:
        import logging

        class Line(logging.Formatter):
            """A line for each message, whatever is in it."""

            def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's
                return one_line(redacted(super().formatMessage(record)))

            def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's
                return harmless(redacted(super().formatException(ei)))

        handler = logging.StreamHandler()
        handler.setFormatter(Line("%(name)s: %(message)s"))
        logging.basicConfig(handlers=[handler])
        logging.getLogger("dshub").setLevel(level)


def _say(message: str) -> None:
    _screen.echo(message, err=True)
