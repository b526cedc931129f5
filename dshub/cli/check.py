"""`dshub check`: every fault of a manifest, and with `--links` whether its addresses work."""

from typing import TYPE_CHECKING, Any

import click

from dshub.catalog.faults import with_lines
from dshub.catalog.manifest import Manifest
from dshub.cli import _screen
from dshub.display import flat
from dshub.errors import DshubError, ManifestError, TransportError, UnknownNameError

if TYPE_CHECKING:
    from dshub.catalog.registry import Registry
    from dshub.hub.hub import Hub

Result = tuple[str, list[str], Manifest | None]
"""A name, its faults, and its manifest where there is one."""


@click.command(short_help="Every fault of some manifests.")
@click.argument("manifests", nargs=-1, metavar="[FILE-OR-NAME]...", type=_screen.DatasetName())
@click.option("--links", is_flag=True, help="Ask whether every address works, too.")
@_screen.json_option
@click.pass_context
def command(ctx: click.Context, manifests: tuple[str, ...], links: bool, as_json: bool) -> None:
    """Check manifests, offline: every fault with its line. Without names, the whole registry.

    \b
      dshub check my-data/1.0.0.toml
      dshub check
      dshub check mnist --links

    With --links each address is asked for its file's size, without fetching it; exit code 4 where
    a file has no address that works.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    names = hub.registry.expand(manifests) or hub.registry.names()
    results = [_result(hub.registry, name) for name in names]
    bad = sum(1 for _, faults, _ in results if faults)
    data: dict[str, Any] = {
        "manifests": [{"name": name, "faults": faults} for name, faults, _ in results]
    }
    text, dead = _text(results), 0
    if links:
        more, dead = _asked(hub, results, data["manifests"])
        text = "\n".join(part for part in (text, more) if part)
    _screen.answer(as_json, data, lambda: text)
    if not as_json:
        lost = f", {dead} files without an address that works" if links else ""
        _screen.note(f"{len(results)} checked, {bad} with faults{lost}")
    ctx.exit(TransportError.exit_code if dead else 1 if bad else 0)


def _result(registry: "Registry", name: str) -> Result:
    from dshub.cli._readers import reader_faults

    try:
        manifest = registry.manifest(name)
        faults = list(reader_faults(manifest))
    except UnknownNameError:
        raise
    except ManifestError as error:
        return name, [str(fault) for fault in error.faults], None
    except DshubError as error:
        return name, [str(error)], None
    path = registry.file(name)
    if faults and path is not None:
        faults = with_lines(faults, path.read_text(encoding="utf-8"))
    return name, [str(fault) for fault in faults], manifest


def _text(results: list[Result]) -> str:
    lines = []
    for name, faults, _ in results:
        if faults:
            lines.append(_screen.bold(name))
            lines += [f"  {flat(fault)}" for fault in faults]
    return "\n".join(lines)


def _asked(hub: "Hub", results: list[Result], data: list[dict[str, Any]]) -> tuple[str, int]:
    """What the addresses answered, for a person, and how many files have none that works.

    It is added to `data` for programs.
    """
    from dshub.cli import _links

    found = [(item, place) for item, place in zip(results, data, strict=True) if item[2]]
    manifests = [item[2] for item, _ in found if item[2] is not None]
    lines, total = [], 0
    answers = _links.sources(manifests, hub.settings)
    for manifest, (_, place), sources in zip(manifests, found, answers, strict=True):
        dead = _links.dead(manifest, sources)
        place["links"] = [source.plain() for source in sources]
        place["dead"] = dead
        total += len(dead)
        lines.append(_screen.bold(place["name"]))
        if sources:
            lines.append(_screen.columns([source.row() for source in sources]))
        lines += [f"  {name}: no address works" for name in dead]
    return "\n".join(lines), total
