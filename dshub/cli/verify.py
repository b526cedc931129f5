"""Command `dshub verify`: verify cached datasets."""

from dataclasses import asdict

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.hub.media import verify_media

DAMAGED, UNLIKE = 5, 9  # exit codes
_COLORS = {"ok": "green", "missing": "yellow"}


@click.command()
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@click.option("--decode", is_flag=True, help="Decode every image and audio file, too.")
@click.option("--split", "splits", multiple=True, metavar="SPLIT", help="Decode only this split.")
@answering
def command(names: tuple[str, ...], decode: bool, splits: tuple[str, ...]) -> Answer:
    """Verify cached datasets.

    \b
      dshub verify fashion-mnist
      dshub verify --decode caltech-101

    Files and tables of NAMES (datasets or families) are compared with their checksums, and rows
    with published figures. Damaged files and tables are set aside, and `dshub fetch` replaces them.
    With --decode, all cores decode the images and audio of prepared splits, and files that cannot
    be decoded are listed by their original names. The exit code is 5 if anything is damaged, 9 if
    figures differ or files cannot be decoded, and 1 if nothing is cached.
    """
    hub = Hub()
    found = [
        (choice.name, item)
        for choice in hub.resolve(names, splits=splits or None)
        for item in verify_media(
            choice.manifest,
            hub.store,
            decode=choice.splits if decode else (),
            progress=hub.progress,
        )
    ]
    findings = [
        {"dataset": name, "thing": item.thing, "state": item.state, "detail": item.detail}
        for name, item in found
    ]
    bad = [{"dataset": name, **asdict(item.file)} for name, item in found if item.file]
    rows = [
        [_screen.colored(item["state"], _COLORS.get(item["state"], "red"))]
        + [item[key] for key in ("dataset", "thing", "detail")]
        for item in findings
    ]
    states = {item["state"] for item in findings}
    code, notes = _verdict(states, f"`dshub fetch {' '.join(names)}`")
    data = {"findings": findings} | ({"bad": bad} if decode else {})
    return Answer(data, _screen.columns(rows), notes, code)


def _verdict(states: set[str], fetch: str) -> tuple[int, list[str]]:
    """Return the exit code and notes for the states of findings."""
    if "damaged" in states:
        return DAMAGED, [f"hint: run {fetch} to replace damaged files and tables"]
    if states == {"missing"}:
        return 1, [f"nothing is cached; run {fetch} to download it"]
    if "bad" in states:
        hint = 'hint: upstream\'s files are bad; pass on_error="skip" to `ds.batches` to do without'
        return UNLIKE, [f"{hint} these rows"]
    return (UNLIKE if "unlike" in states else 0), []
