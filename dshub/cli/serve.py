"""`dshub serve`: a mirror or the cache over HTTP, for a desk, a class or a lab."""

import signal
import time
from dataclasses import replace
from pathlib import Path

import click

from dshub.cache.store import Store
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.display import Address, shown_url
from dshub.errors import DshubError
from dshub.mirrors.destinations import BUCKETS
from dshub.mirrors.serve.connections import Served
from dshub.mirrors.serve.lines import Limits
from dshub.mirrors.serve.places import Folder, of_mirror, room_for_clients, urls
from dshub.mirrors.serve.pulling import Puller
from dshub.mirrors.serve.server import Server, listen
from dshub.progress import size
from dshub.settings import Settings

SOURCES = "sources"  # in place of the address of a mirror: the addresses that manifests give


@click.command(short_help="Serve a mirror or the cache over HTTP.")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: every address.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."
)
@click.option(
    "--upstream",
    multiple=True,
    metavar="URL",
    help=f"Fetch what is missing from this mirror, or, for '{SOURCES}', from where manifests say.",
)
@click.option("-v", "--verbose", is_flag=True, help="A line for each request.")
@click.option("--json", "as_json", is_flag=True, help="Say where it listens as one line of JSON.")
def command(
    folder: Path | None,
    host: str,
    port: int,
    upstream: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Serve FOLDER, a mirror or a cache, over HTTP, to be read only. The default is the cache.

    \b
      dshub serve                                   this machine's cache, to this machine
      dshub serve /srv/mirror --host 0.0.0.0        to everybody who reaches this machine
      dshub serve --upstream sources                fetch what is missing, and keep it
      dshub serve --upstream https://mirror.example --upstream sources

    Clients name it in DSHUB_MIRROR. With --upstream, a file that is missing is fetched once,
    however many ask for it, checked, kept in FOLDER, and streamed to all of them meanwhile.
    There is no TLS and no login: put a reverse proxy in front where those are needed.
    Ctrl-C ends it, after what is under way.
    """
    settings = Settings.read(cache=folder)
    _check(folder, upstream)
    _warn(settings.cache, upstream)
    puller = _puller(settings, upstream) if upstream else None
    limits = Limits()
    limits = replace(limits, clients=room_for_clients(limits.clients))
    listening = listen(host, port)
    server = Server(
        listening,
        Folder(settings.cache, of_mirror),
        puller=puller,
        limits=limits,
        log=_log if verbose else _ignore,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    _announce(settings.cache, urls(listening), as_json=as_json)
    server.run()
    _screen.note("stopped")


def _check(folder: Path | None, upstream: tuple[str, ...]) -> None:
    """A folder that was named has to be there, unless it is about to be filled."""
    for url in upstream:
        address = Address(url)
        if url != SOURCES and address.is_local and not address.path.is_dir():
            hint = f"name the URL or the folder of a mirror, or the word '{SOURCES}'"
            raise DshubError(f"there is no folder {shown_url(url)} to take files from", hint=hint)
    if folder is not None and not folder.is_dir() and not upstream:
        hint = "make it with `dshub mirror`, or fill it with `--upstream`"
        raise DshubError(f"there is no folder {folder}", hint=hint)


def _warn(folder: Path, upstream: tuple[str, ...]) -> None:
    """Say what clients will not find, although a person may think that it is there."""
    if not upstream and not any((folder / name).exists() for name in ("index.json", *BUCKETS)):
        _screen.note(f"nothing of a mirror or a cache lies in {_screen.short_path(folder)} yet")
    for name in BUCKETS:
        bucket = folder / name
        if bucket.is_symlink() and not bucket.resolve().is_relative_to(folder.resolve()):
            told = "a link that leads out of the folder, so that nothing in it is served"
            _screen.note(f"{_screen.short_path(bucket)} is {told}")


def _puller(settings: Settings, upstream: tuple[str, ...]) -> Puller:

    # DSHUB_MIRROR is for clients, and may well name this server
    mirrors = Settings.read(mirrors=[url for url in upstream if url != SOURCES]).mirrors
    return Puller(
        Store(settings.cache),
        Registry((*settings.registry, settings.cache / "registry")),
        replace(settings, mirrors=mirrors),
        sources=SOURCES in upstream,
        tell=_screen.note,
    )


def _announce(folder: Path, addresses: list[str], *, as_json: bool) -> None:
    """Where it listens: on standard output, at once, for programs that wait for it."""
    mirror = addresses[:2][-1]  # one that others reach, where there is any
    if as_json:
        data = {
            "schema": _screen.SCHEMA,
            "folder": str(folder),
            "addresses": addresses,
            "mirror": mirror,
        }
        click.echo(_screen.as_text(data))
    else:
        _screen.note(f"serving {_screen.short_path(folder)}; Ctrl-C ends it")
        for address in addresses:
            click.echo(address)
        click.echo(f"DSHUB_MIRROR={mirror}")


def _ignore(served: Served) -> None:
    """Not asked for."""


def _log(served: Served) -> None:
    status = served.status.value if served.status else "---"
    told = f"{served.client} {served.what or '-'} {status} {size(served.size)}"
    end = "" if served.whole else ", broken off"
    stamp = time.strftime("%H:%M:%S")
    _screen.note(f"{stamp} {told} in {served.seconds:.3f} s{end}")
