"""`dshub cache`: what is kept on disk. Nothing else of dshub deletes."""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dshub.cli import _screen
from dshub.errors import ManifestError, StoreError
from dshub.progress import size

if TYPE_CHECKING:
    from dshub.hub import Hub
    from dshub.manifest import Manifest, Resource
    from dshub.store import Usage


@click.group(short_help="What is kept on disk: show it, remove it.")
def command() -> None:
    """What is kept on disk.

    \b
      dshub cache dir
      dshub cache ls
      dshub cache rm mnist
    """


@command.command("dir")
@_screen.json_option
def show_folder(as_json: bool) -> None:
    """The folder of the cache.

    \b
      dshub cache dir
      cd "$(dshub cache dir)"
    """
    from dshub.hub import Hub

    root = str(Hub().store.root)
    _screen.answer(as_json, {"dir": root}, lambda: root)


@command.command("ls")
@_screen.json_option
def listing(as_json: bool) -> None:
    """Everything in the cache: files, tables, unfinished downloads, largest first.

    \b
      dshub cache ls
      dshub cache ls --json | jq '[.items[].size] | add'
    """
    from dshub.hub import Hub

    hub = Hub()
    items = sorted(_usage(hub), key=lambda item: -item.size)
    owners = _owners(hub)
    data = {
        "dir": str(hub.store.root),
        "size": sum(item.size for item in items),
        "items": [
            {
                "kind": item.kind,
                "name": owners.get(item.name, item.name),
                "path": str(item.path),
                "size": item.size,
                "used": int(item.used),
            }
            for item in items
        ],
    }
    rows = [
        [size(item.size), item.kind, owners.get(item.name, item.name), _ago(item.used)]
        for item in items
    ]
    _screen.answer(as_json, data, lambda: _screen.columns(rows, right=(0,)) if rows else "")
    if not as_json:
        total = size(sum(item.size for item in items))
        _screen.note(f"{len(items)} things, {total} in {_screen.short_path(hub.store.root)}")


@command.command("rm")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--raw", is_flag=True, help="Only the files as upstream publishes them.")
@click.option("--prepared", is_flag=True, help="Only the tables; they can be made again.")
@click.option(
    "--partial", is_flag=True, help="Unfinished downloads and leftovers, of all datasets."
)
@click.option("--all", "everything", is_flag=True, help="All of the cache.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@_screen.json_option
def remove(
    names: tuple[str, ...],
    raw: bool,
    prepared: bool,
    partial: bool,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove what is kept of NAMES; files that another dataset needs too stay.

    \b
      dshub cache rm mnist
      dshub cache rm --prepared emnist
      dshub cache rm --partial
    """
    from dshub.hub import Hub

    hub = Hub()
    if not (names or partial or everything):
        raise click.UsageError("name a dataset, or use --partial or --all")
    kinds = {kind for kind, chosen in (("raw", raw), ("prepared", prepared)) if chosen}
    items = list(_chosen(hub, names, kinds or {"raw", "prepared", "synthetic"}))
    if everything:
        items = list(_usage(hub))
    elif partial:
        items += [item for item in _usage(hub) if item.kind == "partial"]
    for item in [] if dry_run else items:
        _delete(item.path)
    data = {
        "removed": [
            {"kind": item.kind, "path": str(item.path), "size": item.size} for item in items
        ],
        "dry_run": dry_run,
    }
    total = size(sum(item.size for item in items))
    verb = "would remove" if dry_run else "removed"
    _screen.answer(as_json, data, lambda: f"{verb} {len(items)} things, {total}")


def _usage(hub: "Hub") -> "Iterable[Usage]":
    from dshub.store import usage

    return usage(hub.store.root)


def _owners(hub: "Hub") -> dict[str, str]:
    """What the files in the cache belong to: checksum to `dataset: resource`."""
    owners: dict[str, str] = {}
    for manifest in _manifests(hub):
        for name, resource in manifest.resources.items():
            for key in _keys(resource):
                several = key in owners
                owner = owners.get(key, f"{manifest.name}: {name}").removesuffix(" and others")
                owners[key] = f"{owner} and others" if several else owner
    return owners


def _manifests(hub: "Hub") -> "Iterator[Manifest]":
    """Those of the registry, and those of the stand-ins that are kept."""
    from dshub.manifest import from_json

    yield from hub.registry.manifests()
    for item in _usage(hub):
        if item.kind == "synthetic":
            with suppress(ManifestError):  # damaged: its files belong to nobody
                yield from_json(item.path.read_bytes())


def _keys(resource: "Resource") -> list[str]:
    """The checksums under which the bytes of a resource may be kept."""
    digests = (resource.digest, resource.content_digest)
    return [digest.hex for digest in digests if digest is not None]


def _chosen(hub: "Hub", names: Iterable[str], kinds: set[str]) -> "Iterable[Usage]":
    """What is kept of some datasets, and of no other dataset whose table is kept."""
    wanted = set(hub.registry.expand(list(names)))
    prepared = {item.name for item in _usage(hub) if item.kind == "prepared"}
    mine = _digests(hub, wanted) - _digests(hub, prepared - wanted)
    for item in _usage(hub):
        owned = item.name in wanted or item.name.rpartition("/")[0] in wanted
        if item.kind in kinds and (owned or item.name in mine):
            yield item


def _digests(hub: "Hub", names: set[str]) -> set[str]:
    """Checksums of all files of some datasets."""
    return {
        key
        for manifest in _manifests(hub)
        for resource in manifest.resources.values()
        for key in _keys(resource)
        if manifest.name in names
    }


def _delete(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(path=str(path), action="remove", reason=reason) from error


def _ago(moment: float) -> str:
    seconds = max(time.time() - moment, 0)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"used {int(seconds // length)} {unit} ago"
    return "used just now"
