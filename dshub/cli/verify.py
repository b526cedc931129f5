"""Command `dshub verify`: verify cached datasets."""

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.hub.verification import verify

DAMAGED, UNLIKE = 5, 9  # exit codes
_COLORS = {"ok": "green", "missing": "yellow"}


@click.command()
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@answering
def command(names: tuple[str, ...]) -> Answer:
    """Verify cached datasets.

    \b
      dshub verify fashion-mnist

    Files and tables of NAMES (datasets or families) are compared with their checksums, and rows
    with published figures. Damaged files and tables are set aside, and `dshub fetch` replaces them.
    The exit code is 5 if anything is damaged, 9 if figures differ, and 1 if nothing is cached.
    """
    hub = Hub()
    findings = [
        {"dataset": choice.name, "thing": item.thing, "state": item.state, "detail": item.detail}
        for choice in hub.resolve(names)
        for item in verify(choice.manifest, hub.store)
    ]
    rows = [
        [_screen.colored(item["state"], _COLORS.get(item["state"], "red"))]
        + [item[key] for key in ("dataset", "thing", "detail")]
        for item in findings
    ]
    states = {item["state"] for item in findings}
    code, notes = _verdict(states, f"`dshub fetch {' '.join(names)}`")
    return Answer({"findings": findings}, _screen.columns(rows), notes, code)


def _verdict(states: set[str], fetch: str) -> tuple[int, list[str]]:
    """Return the exit code and notes for the states of findings."""
    if "damaged" in states:
        return DAMAGED, [f"hint: run {fetch} to replace damaged files and tables"]
    if states == {"missing"}:
        return 1, [f"nothing is cached; run {fetch} to download it"]
    return (UNLIKE if "unlike" in states else 0), []
