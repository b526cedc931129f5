"""Command `dshub licenses`: show licenses, and fail on denied ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from dshub.catalog.manifest import Manifest, denied
from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.hub.lockfile import names_in, read

DENIED = 1  # exit code


@click.command()
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option(
    "--deny",
    multiple=True,
    metavar="WORD",
    help="Fail on licenses with this word: nc, nd, unknown, or an SPDX identifier. Repeatable.",
)
@answering
def command(names: tuple[str, ...], deny: tuple[str, ...]) -> Answer:
    """Show licenses; fail on denied ones.

    \b
      dshub licenses                              licenses of the project's datasets
      dshub licenses --deny nc --deny unknown     for CI: exit code 1 if a license is denied
      dshub licenses imagenette cifar-10

    Without NAMES, the command uses the datasets of [tool.dshub] in pyproject.toml. If there are
    none, it uses the datasets in dshub.lock, or else the cached ones.
    """
    hub = Hub()
    manifests = hub.resolve(names or _names(hub)).manifests
    reasons = {item.name: denied(item.license, deny) for item in manifests}
    refused = [name for name, reason in reasons.items() if reason]
    licenses = [_plain(item, reasons[item.name]) for item in manifests]
    unstated = sum(item.license.spdx is None for item in manifests)
    datasets = counted(unstated, "dataset")
    note = f"{datasets} without a stated license; use --deny unknown to fail on them"
    notes = [note] if deny and unstated and "unknown" not in deny else []
    data = {"licenses": licenses, "denied": refused}
    return Answer(data, _text(manifests, reasons), notes, DENIED if refused else 0)


def _names(hub: Hub) -> Sequence[str]:
    """Return the datasets of the project, or the cached datasets."""
    if hub.settings.datasets:
        return hub.settings.datasets
    lock = hub.settings.lock
    if lock is not None and lock.exists():
        return names_in(read(lock), lock)
    used = {name for item in hub.cache.items() for name in item.datasets}
    return [name for name in hub.names() if name in used]


def _plain(manifest: Manifest, reason: str) -> dict[str, Any]:
    terms = msgspec.structs.asdict(manifest.license)
    return {"name": manifest.name, "version": manifest.version, **terms, "denied": reason or None}


def _text(manifests: Sequence[Manifest], reasons: Mapping[str, str]) -> str:
    if not manifests:
        return ""
    rows = [[_screen.dim(word) for word in ("NAME", "LICENSE", "REDISTRIBUTION", "")]]
    for item in manifests:
        terms, reason = item.license, reasons[item.name]
        comment = _screen.colored(f"denied: {reason}", "red") if reason else terms.note or ""
        spdx = terms.spdx or "not stated"
        rows.append([_screen.bold(item.name), spdx, terms.redistribution, comment])
    return _screen.columns(rows)
