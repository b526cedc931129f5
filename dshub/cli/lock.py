"""`dshub lock`: write down which data a project means, and tell whether that still holds."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.display import flat

if TYPE_CHECKING:
    from dshub.hub.hub import Hub
    from dshub.hub.request import Request

DRIFTED = 5  # exit code: the data are not those that were pinned


@click.command(short_help="Pin the data of a project in dshub.lock, or check that.")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--check", is_flag=True, help="Write nothing; say what differs from the lock.")
@_screen.json_option
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], check: bool, as_json: bool) -> None:
    """Write version, checksums and fingerprints of NAMES into dshub.lock.

    \b
      dshub lock                      what [tool.dshub] in pyproject.toml names
      dshub lock mnist glue           these too, or anew; what else is locked stays
      dshub lock mnist@1.0.0
      dshub lock --check              for CI: exit code 5 where something has changed

    The lock lies beside pyproject.toml. `load`, `fetch` and `info` then take the version that is
    locked, and refuse a manifest that has changed since.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    lock = hub.settings.lock
    if lock is None:
        raise click.UsageError("DSHUB_LOCK is off")
    named = bool(names)
    names = names or hub.settings.datasets
    if check:
        ctx.exit(_check(hub, hub.registry.expand(names), lock, as_json=as_json))
    if not names:
        raise click.UsageError(
            'name datasets, here or as `datasets = ["mnist"]` below [tool.dshub] in pyproject.toml'
        )
    request = hub.resolve(names, as_published=True)
    _write(request, lock, keep=named, as_json=as_json)


def _write(request: "Request", lock: Path, *, keep: bool, as_json: bool) -> None:
    from dshub.hub.lockfile import Lockfile, entry, read

    before = read(lock) if keep else Lockfile()
    made = [entry(choice.name, choice.manifest, lock) for choice in request]
    if len({item.name for item in made}) < len(made):
        raise click.UsageError("a lock holds one version of each dataset, and two are named")
    after = before.with_entries(made)
    after.write(lock)
    data = {
        "lock": str(lock),
        "datasets": [
            {"name": item.name, "version": item.version, "digest": item.digest}
            for item in after.dataset
        ],
    }
    lines = [f"{_screen.bold(item.name)} {item.version}" for item in made]
    lines.append(
        _screen.dim(f"{counted(len(after.dataset), 'dataset')} in {_screen.short_path(lock)}")
    )
    _screen.answer(as_json, data, lambda: "\n".join(lines))


def _check(hub: "Hub", names: list[str], lock: Path, *, as_json: bool) -> int:
    """Say what differs; returns the exit code."""
    from dshub.hub.lockfile import drift

    found = drift(names, hub.registry, lock)
    _screen.answer(
        as_json, {"lock": str(lock), "drift": found}, lambda: "\n".join(map(flat, found))
    )
    if found:
        _screen.note("hint: `dshub lock` writes down what there is now")
    elif not as_json:
        _screen.note("the lock holds")
    return DRIFTED if found else 0
