"""`dshub doctor`: diagnose problems with this machine."""

import os
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

import click
from filelock import FileLock
from PIL import __version__ as pillow
from PIL import features

from dshub.cache.paths import blob_path
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.display import Address, shown_url
from dshub.download.links import ask
from dshub.download.sources import Job, sources
from dshub.download.transports import Transports
from dshub.download.transports.http import certificates
from dshub.errors import StoreError, TransportError
from dshub.hub.hub import Hub
from dshub.mirrors.reading import Mirrors
from dshub.progress import size
from dshub.settings import Settings

State = Literal["ok", "note", "bad"]

LITTLE = 5_000_000_000  # free bytes that call for a note
SAMPLE_BYTES, SAMPLE_SECONDS = 20_000_000, 3.0  # at most, to measure a mirror
SAMPLES = 20  # files to request before a mirror counts as having none of ours
HOSTS = 3  # to ask before the network counts as down
PATIENCE = 5.0  # seconds to wait for a host
DECODERS = ("cv2", "simplejpeg", "turbojpeg", "imagecodecs", "torchcodec")
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "datasets", "pandas", "polars", "ray")

NO_NETWORK = (
    "check the connection and the proxy, name a mirror in DSHUB_MIRROR, or set DSHUB_OFFLINE=1 to "
    "work without a network"
)
SHARED = (
    "they can choose what you load: share a cache only with people you trust, or take write access "
    "away with `chmod go-w`; https://dshub.github.io/dshub/settings.html lists the checks"
)
CHECK_MIRROR = "check DSHUB_MIRROR; where a mirror is down, upstream is asked"

TRY_LOCK = """
import sys
from filelock import FileLock, Timeout
try:
    FileLock(sys.argv[1]).acquire(timeout=0)
except Timeout:
    sys.exit(0)
sys.exit(3)
"""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        thing: its subject.
        state: `bad` if it does not work, `note` if a person may want to know.
        fact: the result.
        advice: what to do about it.
    """

    thing: str
    state: State
    fact: str
    advice: str = ""


@click.command()
@answering
def command() -> Answer:
    """Diagnose problems with this machine.

    \b
      dshub doctor
      DSHUB_MIRROR=https://mirror.example dshub doctor

    Checks the cache, its locks, the network, mirrors and decoders. The exit code is 1 if something
    does not work.
    """
    hub = Hub()
    findings = [*_cache(hub), *_network(hub), *_mirrors(hub), *_software()]
    bad = [finding.thing for finding in findings if finding.state == "bad"]
    data = {"healthy": not bad, "findings": [asdict(finding) for finding in findings]}
    verdict = f"not working: {', '.join(bad)}" if bad else "everything works"
    return Answer(data, _text(findings), [verdict], int(bool(bad)))


def _text(findings: list[Finding]) -> str:
    colors = {"ok": "green", "note": "yellow", "bad": "red"}
    rows = []
    for finding in findings:
        mark = _screen.colored(finding.state, colors[finding.state])
        rows.append([mark, finding.thing, finding.fact])
        if finding.advice:
            rows.append(["", "", _screen.dim(finding.advice)])
    return _screen.columns(rows)


def _cache(hub: Hub) -> Iterator[Finding]:
    root = hub.store.root
    try:
        with hub.store.scratch() as folder:
            yield Finding("cache", "ok", f"{_screen.short_path(root)} can be written")
            yield _locks(folder)
    except StoreError as error:
        yield Finding("cache", "bad", str(error), error.hint)
    if root.is_dir():
        yield from _others(root)
    free = hub.store.free()
    little = free is not None and free < LITTLE
    advice = "`dshub cache ls` lists cached items; DSHUB_CACHE moves the cache"
    yield Finding("space", "note" if little else "ok", f"{size(free)} free", advice * little)
    for place in hub.store.layers:
        there = os.access(place, os.R_OK | os.X_OK)
        fact = f"{place} {'can be read' if there else 'cannot be read'}"
        advice = "" if there else "check DSHUB_SITE_CACHES"
        yield Finding("site cache", "ok" if there else "bad", fact, advice)


def _others(root: Path) -> Iterator[Finding]:
    """Folders of the cache that other users own or can write to."""
    if not hasattr(os, "geteuid"):
        return
    folders = {path: path.stat() for path in (root, *sorted(root.glob("*-v[0-9]")))}
    open_to = [path.name for path, status in folders.items() if _others_write(status)]
    owned = [
        path.name for path, status in folders.items() if status.st_uid not in {0, os.geteuid()}
    ]
    if open_to:
        yield Finding("sharing", "note", f"others can write to {', '.join(open_to)}", SHARED)
    if owned:
        yield Finding("sharing", "note", f"another user owns {', '.join(owned)}", SHARED)


def _others_write(status: os.stat_result) -> bool:
    """Whether other users can write to a folder; a group of one user alone does not count."""
    import grp
    import pwd

    if not status.st_mode & stat.S_IWGRP:
        return bool(status.st_mode & stat.S_IWOTH)
    try:
        group, user = grp.getgrgid(status.st_gid), pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return True
    is_own = group.gr_name == user and set(group.gr_mem) <= {user}
    return not is_own or bool(status.st_mode & stat.S_IWOTH)


def _locks(folder: Path) -> Finding:
    """Hold a lock, and check that another process cannot get it."""
    path = folder / "probe.lock"
    try:
        with FileLock(path, timeout=1):
            command = [sys.executable, "-c", TRY_LOCK, str(path)]
            code = subprocess.run(command, check=False, timeout=30).returncode  # noqa: S603  # ours
    except (OSError, NotImplementedError, subprocess.TimeoutExpired):
        code = 1
    if code == 0:
        return Finding("locks", "ok", "a second process has to wait")
    fact = "two processes get the same lock" if code == 3 else "locks do not work here"
    advice = "nothing can go wrong, but processes that start together may each fetch the files"
    return Finding("locks", "note", fact, advice)


def _network(hub: Hub) -> Iterator[Finding]:
    if hub.settings.offline:
        yield Finding("network", "note", "DSHUB_OFFLINE forbids every connection")
    else:
        yield _hosts(hub)
    proxies = {scheme: url for scheme, url in getproxies().items() if scheme != "no"}
    shown = ", ".join(f"{scheme} through {_proxy(url)}" for scheme, url in proxies.items())
    yield Finding("proxy", "ok", shown or "none")
    bundle = certificates()
    there = Path(bundle).exists()
    advice = "" if there else "REQUESTS_CA_BUNDLE must name a file of certificates"
    fact = bundle if there else f"{bundle} does not exist"
    yield Finding("certificates", "ok" if there else "bad", fact, advice)


def _hosts(hub: Hub) -> Finding:
    """Ask hosts that the registry's files are on, until one answers."""
    silent = []
    for host, address in _addresses(hub.settings).items():
        (link,) = ask([address], timeout=min(hub.settings.timeout, PATIENCE))
        if link.status is not None:
            return Finding("network", "ok", f"{host} answers")
        silent.append(f"{host}: {link.reason}")
    state: State = "note" if hub.settings.mirrors else "bad"
    return Finding("network", state, f"no source answers: {'; '.join(silent)}", NO_NETWORK)


def _addresses(settings: Settings) -> dict[str, str]:
    """An address on each of some hosts: of DSHUB_REGISTRY first, then those with most files."""
    by_host: dict[str, str] = {}
    for registry in (Registry(settings.registry, built_in=False), Registry()):
        files = [item for one in registry.manifests() for item in one.resources.values()]
        addresses = {urlsplit(url).netloc: url for item in files for url in reversed(item.urls)}
        count = Counter(urlsplit(url).netloc for item in files for url in item.urls[:1])
        for host, _ in count.most_common(HOSTS):
            by_host.setdefault(host, addresses[host])
    return dict(list(by_host.items())[:HOSTS])


def _proxy(url: str) -> str:
    """The address of a proxy for a person; one without a scheme means http."""
    return shown_url(url if "://" in url else f"http://{url}")


def _mirrors(hub: Hub) -> Iterator[Finding]:
    for mirror in hub.settings.mirrors:
        address = Address(mirror)
        if hub.settings.offline and not address.is_local:
            continue
        if address.is_local and not address.path.is_dir():
            yield Finding("mirror", "bad", f"{shown_url(mirror)}: no such folder", CHECK_MIRROR)
        else:
            yield _mirror(hub, mirror)


def _mirror(hub: Hub, mirror: str) -> Finding:
    """Ask a mirror for files of the registry until it gives one, and measure that."""
    shown = shown_url(mirror)  # findings are sent to other people
    with closing(Transports(timeout=min(hub.settings.timeout, 5.0))) as transports:
        for address in _samples(hub, mirror):
            try:
                return Finding("mirror", "ok", f"{shown}: {size(_rate(transports, address))}/s")
            except TransportError as error:
                reason = error.reason if error.unreachable else ""
            if reason:
                return Finding("mirror", "bad", f"{shown}: {reason}", CHECK_MIRROR)
    fact = f"{shown}: has none of the requested files"
    return Finding("mirror", "note", fact, "upstream is asked for what a mirror does not have")


def _samples(hub: Hub, mirror: str) -> list[str]:
    """Addresses on a mirror, one for each of some datasets; first of those that it lists."""
    listed = [
        item.entry for item in Mirrors(hub.settings, hub.store).listed() if item.mirror == mirror
    ]
    largest = [max(entry.files, key=lambda file: file.size or 0) for entry in listed if entry.files]
    found = dict.fromkeys(f"{mirror.rstrip('/')}/{blob_path(file.checksum)}" for file in largest)
    for manifest in hub.registry.at_hand().manifests():
        name, resource = max(manifest.resources.items(), key=lambda item: item[1].size or 0)
        found[sources(Job(manifest.name, name, resource), [mirror])[0]] = None
    return list(found)[:SAMPLES]


def _rate(transports: Transports, address: str) -> int:
    """Bytes a second of a part of a file; raises TransportError."""
    began, count, buffer = time.monotonic(), 0, memoryview(bytearray(1 << 20))
    with transports.of(address).open(address) as answer:
        while count < SAMPLE_BYTES and time.monotonic() - began < SAMPLE_SECONDS:
            count += (got := answer.readinto(buffer))
            if not got:
                break
    return int(count / max(time.monotonic() - began, 1e-6))


def _software() -> Iterator[Finding]:
    turbo = features.check_feature("libjpeg_turbo")
    jpeg = "libjpeg-turbo" if turbo else "a slow JPEG library"
    others = [name for name in DECODERS if find_spec(name)]
    yield Finding("decoders", "ok", ", ".join([f"Pillow {pillow} with {jpeg}", *others]))
    frameworks = [name for name in FRAMEWORKS if find_spec(name)]
    yield Finding("frameworks", "ok", ", ".join(["numpy", *frameworks]))
