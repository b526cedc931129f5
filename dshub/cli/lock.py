"""Command `dshub lock`: lock a project's datasets in dshub.lock, or check the lock file."""

from pathlib import Path

import click

from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.cli._answer import Answer, answering
from dshub.display import flat
from dshub.hub.hub import Hub
from dshub.hub.lockfile import Lockfile, drift, entry, read
from dshub.hub.request import Request

DRIFTED = 5  # exit code


@click.command()
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--check", is_flag=True, help="Report differences; write nothing.")
@answering
def command(names: tuple[str, ...], check: bool) -> Answer:
    """Lock a project's datasets in dshub.lock.

    \b
      dshub lock                      lock the datasets of [tool.dshub] in pyproject.toml
      dshub lock mnist glue           add or update these datasets, and keep the others
      dshub lock mnist@1.0.0
      dshub lock --check              for CI: exit code 5 if a dataset has changed

    dshub.lock is written next to pyproject.toml. It contains versions, checksums and fingerprints.
    `load`, `fetch` and `info` then use the locked versions, and fail if a manifest has changed.
    """
    hub = Hub()
    lock = hub.settings.lock
    if lock is None:
        raise click.UsageError("DSHUB_LOCK is off; unset it to write or check dshub.lock")
    chosen = names or hub.settings.datasets
    if check:
        return _check(drift(hub.registry.expand(chosen), hub.registry, lock), lock)
    if not chosen:
        raise click.UsageError(
            'name datasets, or set `datasets = ["mnist"]` in [tool.dshub] of pyproject.toml'
        )
    return _write(hub.resolve(chosen, as_published=True), lock, keep=bool(names))


def _write(request: Request, lock: Path, *, keep: bool) -> Answer:
    before = read(lock) if keep else Lockfile()
    entries = [entry(choice.name, choice.manifest, lock) for choice in request]
    if len({item.name for item in entries}) < len(entries):
        raise click.UsageError("a dataset has only one version in a lock file; name only one")
    after = before.with_entries(entries)
    after.write(lock)
    datasets = [
        {"name": item.name, "version": item.version, "digest": item.digest}
        for item in after.dataset
    ]
    lines = [f"{_screen.bold(item.name)} {item.version}" for item in entries]
    total = f"{counted(len(after.dataset), 'dataset')} in {_screen.short_path(lock)}"
    text = "\n".join([*lines, _screen.dim(total)])
    return Answer({"lock": str(lock), "datasets": datasets}, text)


def _check(changes: list[str], lock: Path) -> Answer:
    data = {"lock": str(lock), "drift": changes}
    if not changes:
        return Answer(data, notes=[f"{_screen.short_path(lock)} is up to date"])
    hint = f"hint: run `dshub lock` to write the current state to {_screen.short_path(lock)}"
    return Answer(data, "\n".join(map(flat, changes)), [hint], DRIFTED)
