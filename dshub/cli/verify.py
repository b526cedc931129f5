"""`dshub verify`: read every byte that is kept again."""

import click

from dshub.cli import _screen

DAMAGED, UNLIKE = 5, 9  # exit codes: the bytes changed; the figures differ from the manifest


@click.command(short_help="Read every byte that is kept again, and compare.")
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@_screen.json_option
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Compare what is kept of NAMES with its checksums, and its rows with published figures.

    \b
      dshub verify fashion-mnist

    Damaged content is put aside; `dshub fetch` then gets it again. Exit code 5 where something
    is damaged, 9 where figures differ, 1 where nothing is kept.
    """
    from dshub.hub.hub import Hub
    from dshub.hub.verification import verify

    hub = Hub()
    rows, data = [], []
    for choice in hub.resolve(names):
        name = choice.name
        for finding in verify(choice.manifest, hub.store):
            data.append(
                {"dataset": name, "thing": finding.thing, "state": finding.state}
                | {"detail": finding.detail}
            )
            rows.append([_mark(finding.state), name, finding.thing, finding.detail])
    _screen.answer(as_json, {"findings": data}, lambda: _screen.columns(rows))
    states = [item["state"] for item in data]
    if "damaged" in states:
        _screen.note(f"hint: `dshub fetch {' '.join(names)}` replaces what was damaged")
        ctx.exit(DAMAGED)
    if "unlike" in states:
        ctx.exit(UNLIKE)
    if set(states) == {"missing"}:
        _screen.note(f"nothing of it is in the cache; `dshub fetch {' '.join(names)}` gets it")
        ctx.exit(1)


def _mark(state: str) -> str:
    color = {"ok": "green", "missing": "yellow"}.get(state, "red")
    return _screen.colored(state, color)
