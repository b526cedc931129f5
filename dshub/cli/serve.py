"""Command `dshub serve`: serve a mirror or the cache over HTTP."""

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

SOURCES = "sources"  # value of --upstream for the URLs in manifests


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
    help=f"Fetch missing files from this mirror, or from the URLs in manifests if URL is "
    f"'{SOURCES}'. Repeatable.",
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
    """Serve a mirror or the cache over HTTP, read-only.

    \b
      dshub serve                                   serve the cache to this machine
      dshub serve /srv/mirror --host 0.0.0.0        serve a mirror to the network
      dshub serve --upstream sources                fetch missing files, and keep them
      dshub serve --upstream https://mirror.example --upstream sources

    FOLDER is a mirror or a cache, by default the cache of this machine. Clients set DSHUB_MIRROR to
    the printed address. With --upstream, a missing file is fetched once, streamed to all clients
    that request it, verified, and kept in FOLDER. The server does not support TLS or logins; use a
    reverse proxy if you need them. Press Ctrl-C to stop the server after the current responses.
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
    """Check that folders exist. FOLDER can be missing if `--upstream` will fill it.

    Raises:
        DshubError: a folder does not exist.
    """
    for address in map(Address, upstream):
        if address.text != SOURCES and address.is_local and not address.path.is_dir():
            hint = f"pass the URL or folder of a mirror, or the word '{SOURCES}'"
            raise DshubError(f"--upstream: the folder {address} does not exist", hint=hint)
    if folder is not None and not folder.is_dir() and not upstream:
        hint = f"run `dshub mirror {folder} NAME…` to create a mirror, or use --upstream"
        raise DshubError(f"the folder {folder} does not exist", hint=hint)


def _warn(folder: Path, upstream: tuple[str, ...]) -> None:
    """Print a warning if the folder is empty, or if links in it will not be served."""
    if not upstream and not any((folder / name).exists() for name in ("index.json", *BUCKETS)):
        _screen.note(f"{_screen.short_path(folder)} does not contain a mirror or a cache")
    for bucket in (folder / name for name in BUCKETS):
        if bucket.is_symlink() and not bucket.resolve().is_relative_to(folder.resolve()):
            path = _screen.short_path(bucket)
            _screen.note(f"{path} links to another folder, so its files are not served")


def _puller(settings: Settings, upstream: tuple[str, ...]) -> Puller:
    # Ignore DSHUB_MIRROR, which can be the address of this server.
    mirrors = Settings.read(mirrors=[url for url in upstream if url != SOURCES]).mirrors
    return Puller(
        Store(settings.cache),
        Registry((*settings.registry, settings.cache / "registry")),
        replace(settings, mirrors=mirrors),
        sources=SOURCES in upstream,
        say=_screen.note,
    )


def _announce(folder: Path, addresses: list[str], *, as_json: bool) -> None:
    """Print the addresses of the server on standard output."""
    mirror = addresses[:2][-1]  # the second address, if any, is reachable from other machines
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
