"""`dshub cache verify`: read everything that is kept again."""

from dataclasses import asdict

import click

from dshub.cli import _screen

DAMAGED = 5  # exit code: bytes changed


@click.command("verify")
@_screen.json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Compare every file and every table in the cache with its checksum.

    \b
      dshub cache verify

    Damaged content is put aside; `dshub fetch` then gets it again. Exit code 5 where something
    is damaged. `dshub verify NAME` looks at one dataset, and at its published figures too.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    findings = list(hub.cache.verify())
    damaged = [finding for finding in findings if finding.state == "damaged"]
    rows = [[_screen.colored("damaged", "red"), item.thing, item.detail] for item in damaged]
    data = {"findings": [asdict(finding) for finding in findings]}
    _screen.answer(as_json, data, lambda: _screen.columns(rows))
    if not as_json:
        files, tables = (
            sum(finding.state == "ok" and finding.thing.startswith(kind) for finding in findings)
            for kind in ("file ", "table ")
        )
        _screen.note(f"in order: {_count(files, 'file')} and {_count(tables, 'table')}")
    if damaged:
        _screen.note("hint: `dshub fetch NAME` replaces what was damaged")
        ctx.exit(DAMAGED)


COMMANDS = (verify,)


def _count(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number:,} {thing}s"
