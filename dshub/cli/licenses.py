"""`dshub licenses`: under which terms the datasets of a project are published."""

from typing import TYPE_CHECKING, Any

import click

from dshub.catalog.manifest import Manifest, denied
from dshub.cli import _screen

if TYPE_CHECKING:
    from dshub.hub.hub import Hub

DENIED = 1  # exit code


@click.command(short_help="The licences of datasets, and which of them are not wanted.")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option(
    "--deny",
    multiple=True,
    metavar="WORD",
    help="Fail on licences with that word: nc, nd, unknown, an SPDX identifier. Repeatable.",
)
@_screen.json_option
@click.pass_context
def command(
    ctx: click.Context, names: tuple[str, ...], deny: tuple[str, ...], as_json: bool
) -> None:
    """Tell the licences of NAMES, and where each is stated.

    \b
      dshub licenses                              of what the project uses
      dshub licenses --deny nc --deny unknown     for CI: exit code 1 where one is found
      dshub licenses imagenette cifar-10

    Without NAMES: what pyproject.toml names below [tool.dshub], or what dshub.lock pins, or
    everything of which something is in the cache.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    manifests = hub.resolve(_names(hub, names)).manifests
    reasons = {item.name: denied(item.license, deny) for item in manifests}
    found = [name for name, reason in reasons.items() if reason]
    data = {
        "licenses": [_plain(item, reasons[item.name]) for item in manifests],
        "denied": found,
    }
    _screen.answer(as_json, data, lambda: _text(manifests, reasons))
    silent = sum(item.license.spdx is None for item in manifests)
    if deny and silent and "unknown" not in deny and not as_json:
        _screen.note(f"of {silent} no source states the licence; --deny unknown refuses those")
    ctx.exit(DENIED if found else 0)


def _names(hub: "Hub", names: tuple[str, ...]) -> list[str]:
    """The datasets that are meant."""
    if names or hub.settings.datasets:
        return list(names or hub.settings.datasets)
    lock = hub.settings.lock
    if lock is not None and lock.exists():
        from dshub.hub.lockfile import names_in, read

        return names_in(read(lock), lock)
    used = {name for item in hub.cache.items() for name in item.datasets}
    return [name for name in hub.names() if name in used]


def _plain(manifest: Manifest, reason: str) -> dict[str, Any]:
    terms = manifest.license
    return {
        "name": manifest.name,
        "version": manifest.version,
        "spdx": terms.spdx,
        "source": terms.source,
        "redistribution": terms.redistribution,
        "note": terms.note,
        "terms": terms.terms,
        "denied": reason or None,
    }


def _text(manifests: list[Manifest], reasons: dict[str, str]) -> str:
    if not manifests:
        return ""
    head = [_screen.dim(word) for word in ("NAME", "LICENCE", "MAY BE PASSED ON", "")]
    rows = [head]
    for item in manifests:
        terms, reason = item.license, reasons[item.name]
        told = _screen.colored(f"denied: {reason}", "red") if reason else terms.note or ""
        licence = terms.spdx or "not stated"
        rows.append([_screen.bold(item.name), licence, terms.redistribution, told])
    return _screen.columns(rows)
