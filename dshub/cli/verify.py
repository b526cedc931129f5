"""Command `dshub verify`: verify cached datasets."""

from dataclasses import asdict
from typing import Any

import click

from dshub.catalog.features import is_encoded
from dshub.catalog.manifest import Manifest
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.hub.media import BadFile, bad_files
from dshub.hub.verification import Finding, verify
from dshub.tables.recipe import find

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
    findings: list[dict[str, str]] = []
    bad: list[dict[str, Any]] = []
    for choice in hub.resolve(names, splits=splits or None):
        items = list(verify(choice.manifest, hub.store))
        if decode:
            for split in choice.splits:
                found, several = _decode(choice.manifest, split, hub)
                items += found
                bad += [{"dataset": choice.name, **asdict(item)} for item in several]
        findings += [
            {
                "dataset": choice.name,
                "thing": item.thing,
                "state": item.state,
                "detail": item.detail,
            }
            for item in items
        ]
    rows = [
        [_screen.colored(item["state"], _COLORS.get(item["state"], "red"))]
        + [item[key] for key in ("dataset", "thing", "detail")]
        for item in findings
    ]
    states = {item["state"] for item in findings}
    code, notes = _verdict(states, f"`dshub fetch {' '.join(names)}`")
    data = {"findings": findings} | ({"bad": bad} if decode else {})
    return Answer(data, _screen.columns(rows), notes, code)


def _decode(manifest: Manifest, split: str, hub: Hub) -> tuple[list[Finding], list[BadFile]]:
    """Decode the files of a split; return a finding for each column and bad file."""
    folder = find(manifest, split, hub.store)
    findings: list[Finding] = []
    bad: list[BadFile] = []
    if folder is None:
        return findings, bad  # reported as missing
    features = manifest.split_features(split)
    for column in [name for name, feature in features.items() if is_encoded(feature)]:
        items = list(bad_files(manifest, split, folder, column, hub.progress))
        rows = manifest.splits[split].rows
        text = f"{len(items):,} of {rows:,} files cannot be decoded" if items else f"{rows:,} files"
        findings.append(Finding(f"{column} of {split}", "bad" if items else "ok", text))
        for item in items:
            detail = f"{item.file}: {item.reason}" if item.file else item.reason
            findings.append(Finding(f"{column} of {split}, row {item.row}", "bad", detail))
        bad += items
    return findings, bad


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
