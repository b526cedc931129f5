"""List the commands in groups, with their short help, without importing their modules.

Each command is a module in this package, and `import` is in `import_.py`. The short help of a
command is the first sentence of its help.
"""

import difflib
import os
import sys
from typing import Any, cast

import click
from click.shell_completion import CompletionItem

from dshub import plugins

GROUPS = {
    "Get": {
        "fetch": "Download datasets.",
        "import": "Import files that are already on this machine.",
        "prepare": "Prepare tables for loading.",
        "list": "List datasets.",
        "search": "Search datasets by keyword.",
        "info": "Show a dataset's license, sizes, splits, columns and files.",
        "preview": "Show rows of a dataset.",
        "tensorboard": "Log a dataset for TensorBoard.",
    },
    "Check": {
        "verify": "Verify cached datasets.",
        "doctor": "Diagnose problems with this machine.",
        "cache": "Show, check, pin and remove cached data.",
        "lock": "Lock a project's datasets in dshub.lock.",
        "licenses": "Show licenses; fail on denied ones.",
        "cite": "Print citations as BibTeX or CFF.",
    },
    "Publish": {
        "new": "Write a manifest for your own files.",
        "checksum": "Write checksums and sizes of files into a manifest.",
        "check": "Check manifests.",
        "mirror": "Write, update or verify a mirror.",
        "serve": "Serve a mirror or the cache over HTTP.",
        "site": "Write web pages about datasets.",
        "export": "Export a dataset to other file formats.",
        "croissant": "Convert datasets to or from Croissant.",
    },
    "Try": {
        "demo": "Run a demo without a network.",
        "bench": "Measure how fast this machine loads a dataset.",
    },
}

ALTERNATIVES = {  # commands of other programs, and the dshub commands to suggest
    "benchmark": "bench",
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
    "pin": "checksum",
    "pull": "fetch",
    "remove": "cache rm",
    "rm": "cache rm",
    "show": "info",
    "status": "cache ls",
    "version": "--version",
    "view": "preview",
}


class Commands(click.Group):
    """Group of commands that are imported only when they run.

    Help and completion of built-in commands use the texts in `GROUPS`.
    """

    # This class is not in `__init__.py`, because the submodule `list` would hide the builtin there.

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(plugins.names("cli"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in plugins.built_in("cli") and cmd_name not in plugins.names("cli"):
            return None
        command = cast("click.Command", plugins.module("cli", cmd_name).command)
        command.name = cmd_name  # click would use the function name, `command`
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups = self._groups(ctx)
        width = max(len(name) for commands in groups.values() for name in commands)
        for title, commands in groups.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        helps = dict(item for group in self._groups(ctx).values() for item in group.items())
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=helps[name]) for name in names]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def _groups(self, ctx: click.Context) -> dict[str, dict[str, str]]:
        """Return the name and short help of each command by group, third-party commands last."""
        third_party = {
            name: command.get_short_help_str(limit=60)
            for name in self.list_commands(ctx)
            if name not in plugins.built_in("cli") and (command := self.get_command(ctx, name))
        }
        return {**GROUPS, **({"From other packages": third_party} if third_party else {})}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no command {args[0]!r}.{self._suggestion(ctx, *args)}")
        return super().resolve_command(ctx, args)

    def _suggestion(self, ctx: click.Context, name: str, *arguments: str) -> str:
        """Return a suggestion for an unknown command, or an empty string."""
        if name == "help":
            return f" Did you mean `dshub {' '.join([*arguments, '--help'])}`?"
        close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
        command = ALTERNATIVES.get(name) or next(iter(close), None)
        return f" Did you mean `dshub {command}`?" if command else ""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader closed the pipe, as in `dshub list | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
