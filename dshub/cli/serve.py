"""`dshub serve`: serve a mirror or the cache over HTTP."""

import signal
import time
from dataclasses import replace
from pathlib import Path

import click

from dshub.cache.store import Store
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.display import Address
from dshub.errors import DshubError
from dshub.mirrors.destinations import BUCKETS
from dshub.mirrors.serve.connections import Access
from dshub.mirrors.serve.pulling import Puller
from dshub.mirrors.serve.routes import Folder, of_mirror
from dshub.mirrors.serve.server import Server
from dshub.mirrors.serve.sockets import Limits, listen, room_for_clients, urls
from dshub.progress import size
from dshub.settings import Settings

SOURCES = "sources"  # as an --upstream: the URLs in manifests


@click.command(short_help="Serve a mirror or the cache over HTTP.")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all."
)
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--upstream",
    multiple=True,
    metavar="URL",
    help=f"Fetch missing files from this mirror, or from the URLs in manifests ('{SOURCES}').",
)
@click.option("-v", "--verbose", is_flag=True, help="Log each request.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
def command(
    folder: Path | None,
    host: str,
    port: int,
    upstream: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Serve FOLDER, a mirror or a cache, over HTTP, read-only. The default is the cache.

    \b
      dshub serve                                   this machine's cache, to this machine
      dshub serve /srv/mirror --host 0.0.0.0        to everyone who can reach this machine
      dshub serve --upstream sources                fetch missing files, and keep them
      dshub serve --upstream https://mirror.example --upstream sources

    Clients name the address in DSHUB_MIRROR. With --upstream, a missing file is fetched once, no
    matter how many clients ask for it: it is streamed to all of them, checked, and kept in FOLDER.
    There is no TLS and no login: use a reverse proxy if you need them. Ctrl-C stops the server
    after the responses in progress.
    """
    settings = Settings.read(cache=folder)
    _check(folder, upstream)
    _warn(settings.cache, upstream)
    limits = replace(Limits(), clients=room_for_clients(Limits.clients))
    listening = listen(host, port)
    server = Server(
        listening,
        Folder(settings.cache, of_mirror),
        puller=_puller(settings, upstream) if upstream else None,
        limits=limits,
        log=_log if verbose else lambda _: None,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    _announce(settings.cache, urls(listening), as_json=as_json)
    server.run()
    _screen.note("stopped")


def _check(folder: Path | None, upstream: tuple[str, ...]) -> None:
    """Refuse folders that do not exist, except one that is about to be filled."""
    for address in map(Address, upstream):
        if address.text != SOURCES and address.is_local and not address.path.is_dir():
            hint = f"name the URL or the folder of a mirror, or the word '{SOURCES}'"
            raise DshubError(f"--upstream: there is no folder {address}", hint=hint)
    if folder is not None and not folder.is_dir() and not upstream:
        hint = "create it with `dshub mirror`, or fill it with `--upstream`"
        raise DshubError(f"there is no folder {folder}", hint=hint)


def _warn(folder: Path, upstream: tuple[str, ...]) -> None:
    """Warn about files that clients will not get although a person may expect it."""
    if not upstream and not any((folder / name).exists() for name in ("index.json", *BUCKETS)):
        _screen.note(f"{_screen.short_path(folder)} holds no mirror and no cache yet")
    for bucket in (folder / name for name in BUCKETS):
        if bucket.is_symlink() and not bucket.resolve().is_relative_to(folder.resolve()):
            path = _screen.short_path(bucket)
            _screen.note(f"{path} is a link that leads out of the folder; nothing in it is served")


def _puller(settings: Settings, upstream: tuple[str, ...]) -> Puller:
    # DSHUB_MIRROR is for clients, and may well name this server
    mirrors = Settings.read(mirrors=[url for url in upstream if url != SOURCES]).mirrors
    return Puller(
        Store(settings.cache),
        Registry((*settings.registry, settings.cache / "registry")),
        replace(settings, mirrors=mirrors),
        sources=SOURCES in upstream,
        say=_screen.note,
    )


def _announce(folder: Path, addresses: list[str], *, as_json: bool) -> None:
    """Print the addresses on standard output, for programs that wait for them."""
    mirror = addresses[:2][-1]  # one that other machines reach, if there is any
    if as_json:
        data = {"folder": str(folder), "addresses": addresses, "mirror": mirror}
        click.echo(_screen.as_text({"schema": _screen.SCHEMA, **data}))
    else:
        _screen.note(f"serving {_screen.short_path(folder)}; stop with Ctrl-C")
        click.echo("\n".join([*addresses, f"DSHUB_MIRROR={mirror}"]))


def _log(access: Access) -> None:
    status = access.status.value if access.status else "---"
    request = f"{access.client} {access.request or '-'} {status} {size(access.size)}"
    end = "" if access.complete else ", cut off"
    _screen.note(f"{time.strftime('%H:%M:%S')} {request} in {access.seconds:.3f} s{end}")
