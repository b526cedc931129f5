"""`dshub check`: every fault of a manifest."""

from collections.abc import Callable

import click

from dshub.cli import _screen
from dshub.errors import DshubError, ManifestError, UnknownNameError
from dshub.manifest import Manifest


@click.command(short_help="Every fault of some manifests.")
@click.argument("manifests", nargs=-1, metavar="[FILE-OR-NAME]...", type=_screen.DatasetName())
@_screen.json_option
@click.pass_context
def command(ctx: click.Context, manifests: tuple[str, ...], as_json: bool) -> None:
    """Check manifests, offline: every fault with its line. Without names, the whole registry.

    \b
      dshub check my-data/1.0.0.toml
      dshub check
    """
    from dshub.hub import Hub

    registry = Hub().registry
    names = list(manifests) or registry.names()
    results = [(name, _faults(registry.manifest, name)) for name in names]
    bad = sum(1 for _, faults in results if faults)
    data = {"manifests": [{"name": name, "faults": faults} for name, faults in results]}
    _screen.answer(as_json, data, lambda: _text(results))
    if not as_json:
        _screen.note(f"{len(results)} checked, {bad} with faults")
    ctx.exit(1 if bad else 0)


def _faults(find: Callable[[str], Manifest], name: str) -> list[str]:
    from dshub.preparation import recipe

    try:
        manifest = find(name)
        for split in manifest.splits:
            recipe(manifest, split)  # its reader must take the options
    except UnknownNameError:
        raise
    except ManifestError as error:
        return [str(fault) for fault in error.faults]
    except DshubError as error:
        return [str(error)]
    return []


def _text(results: list[tuple[str, list[str]]]) -> str:
    lines = []
    for name, faults in results:
        if faults:
            lines.append(_screen.bold(name))
            lines += [f"  {fault}" for fault in faults]
    return "\n".join(lines)
