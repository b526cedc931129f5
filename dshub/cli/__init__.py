"""The command line, with one module per command that is imported on demand.

Results are printed to standard output, and everything else to standard error. Exit codes are
listed in `dshub.errors`. Usage errors exit with 2, and interrupted commands with 130.
"""

import io
import logging
import signal
import sys
from typing import Any

import click

from dshub import __version__
from dshub.cli import _failures
from dshub.cli._commands import Commands
from dshub.display import harmless, is_utf8, one_line, redacted
from dshub.errors import DshubError
from dshub.settings import Settings

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM as an exception that, like KeyboardInterrupt, is not an `Exception`."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dshub")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def group(debug: bool) -> None:
    """Download, verify and load datasets.

    \b
      dshub demo                     run a demo without a network
      dshub list                     list datasets
      dshub fetch fashion-mnist      download a dataset and prepare it for loading
      python -c "import dshub; print(dshub.load('fashion-mnist'))"

    Configure dshub with environment variables such as DSHUB_CACHE, DSHUB_MIRROR and DSHUB_OFFLINE
    (see https://dshub.github.io/dshub/settings.html). For shell completion, see
    https://dshub.github.io/dshub/cli.html.
    """
    del debug  # `main` reads `sys.argv`, so that --debug also covers errors of this function
    _set_up_log()


def main() -> None:
    """Run the command line, and exit with the exit code of the command."""
    signal.signal(signal.SIGTERM, _terminate)
    _replace_unencodable()
    try:
        code = group(prog_name="dshub", standalone_mode=False)
    except Terminated:
        code = _ended("terminated", TERMINATED)
    except click.exceptions.Abort:
        code = _ended("interrupted", INTERRUPTED)
    except click.ClickException as error:
        code = _failures.of_usage(error).report()
    except DshubError as error:
        code = _failures.of_error(error).report()
    sys.exit(code if isinstance(code, int) else 0)


def _replace_unencodable() -> None:
    """Make standard output replace characters that it cannot encode, instead of failing.

    On Windows, files and pipes use the code page of the machine. File names that are not valid
    UTF-8 are written unchanged if the output is UTF-8.
    """
    output = sys.stdout
    if isinstance(output, io.TextIOWrapper) and output.errors == "strict":
        output.reconfigure(errors="surrogateescape" if is_utf8() else "replace")


def _terminate(number: int, frame: object) -> None:
    del number, frame
    raise Terminated


def _ended(how: str, code: int) -> int:
    message = f"{how}; downloaded bytes are kept"
    return _failures.Failure(type=how.capitalize(), message=message, exit_code=code).report()


class _LogLine(logging.Formatter):
    """Formatter that puts each message on one line and hides secrets."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # from logging
        return one_line(redacted(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # from logging
        return harmless(redacted(super().formatException(ei)))


def _set_up_log() -> None:
    level = Settings.read().log
    if level is not None:
        handler = logging.StreamHandler()
        handler.setFormatter(_LogLine("%(name)s: %(message)s"))
        logging.basicConfig(handlers=[handler])
        logging.getLogger("dshub").setLevel(level)
