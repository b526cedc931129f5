"""Command `dshub doctor`: diagnose problems with this machine."""

import os
import platform
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

import click
from filelock import FileLock
from PIL import __version__ as pillow
from PIL import features

from dshub import __file__ as dshub_file
from dshub import __version__
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

LOW_SPACE = 5_000_000_000  # free bytes below which a note is shown
SAMPLE_BYTES, SAMPLE_SECONDS = 20_000_000, 3.0  # limits for measuring the speed of a mirror
SAMPLES = 20  # maximum number of files to request from a mirror
HOSTS = 3  # maximum number of hosts to try before the network counts as down
HOST_TIMEOUT = 5.0  # seconds to wait for each host
DECODERS = ("cv2", "simplejpeg", "turbojpeg", "imagecodecs", "torchcodec")
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "datasets", "pandas", "polars", "ray")
LIBRARIES = ("pyarrow", "numpy")

NO_NETWORK = (
    "check the connection and the proxy, set DSHUB_MIRROR to a mirror, or set DSHUB_OFFLINE=1 to "
    "work without a network"
)
SHARED = (
    "share a cache only with users you trust, because they can replace its content, or run "
    "`chmod go-w` to remove write access (see https://dshub.github.io/dshub/settings.html)"
)
CHECK_MIRROR = "check DSHUB_MIRROR; until the mirror works, files are downloaded from upstream"

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
        thing: subject of the check.
        state: `ok`, `bad` if something does not work, or `note` for other remarks.
        fact: result of the check.
        advice: next step for the user, or empty.
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

    Prints versions, and checks the cache and its locks, the network, mirrors and decoders. The exit
    code is 1 if a check fails.
    """
    hub = Hub()
    findings = [*_versions(), *_cache(hub), *_network(hub), *_mirrors(hub), *_software()]
    bad = [finding.thing for finding in findings if finding.state == "bad"]
    data = {"healthy": not bad, "findings": [asdict(finding) for finding in findings]}
    verdict = f"not working: {', '.join(bad)}" if bad else "everything works"
    return Answer(data, _text(findings), [verdict], int(bool(bad)))


def _text(findings: list[Finding]) -> str:
    """Format findings as a table, with long facts on several lines."""
    colors = {"ok": "green", "note": "yellow", "bad": "red"}
    width = _screen.terminal_width() - max(len(item.thing) for item in findings) - 8
    rows = []
    for finding in findings:
        mark = _screen.colored(finding.state, colors[finding.state])
        first, *more = _screen.wrapped(finding.fact, width)
        rows.append([mark, finding.thing, first])
        rows += [["", "", line] for line in more]
        if finding.advice:
            advice = _screen.wrapped(finding.advice, width)
            rows += [["", "", _screen.dim(line)] for line in advice]
    return _screen.columns(rows)


def _versions() -> Iterator[Finding]:
    """Report the versions that a bug report needs."""
    yield Finding("dshub", "ok", f"{__version__} in {_screen.short_path(Path(dshub_file).parent)}")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()} ({platform.machine()})"
    yield Finding("python", "ok", f"{python} on {system}")
    yield Finding("libraries", "ok", _installed(LIBRARIES))


def _installed(names: Sequence[str]) -> str:
    """Format the versions of the installed packages among `names`, without importing them."""
    return ", ".join(f"{name} {_version(name)}".rstrip() for name in names if find_spec(name))


def _version(package: str) -> str:
    """Return the version of an import package; empty if no distribution provides it."""
    try:
        return version(package)
    except PackageNotFoundError:  # for example, tensorflow can come from tensorflow-cpu
        distributions = packages_distributions().get(package, [])
        return version(distributions[0]) if distributions else ""


def _cache(hub: Hub) -> Iterator[Finding]:
    root = hub.store.root
    try:
        with hub.store.scratch() as folder:
            yield Finding("cache", "ok", f"{_screen.short_path(root)} is writable")
            yield _locks(folder)
    except StoreError as error:
        yield Finding("cache", "bad", str(error), error.hint)
    if root.is_dir():
        yield from _sharing(root)
    free = hub.store.free()
    is_low = free is not None and free < LOW_SPACE
    advice = "run `dshub cache gc` or `dshub cache prune`, or set DSHUB_CACHE to another disk"
    yield Finding("space", "note" if is_low else "ok", f"{size(free)} free", advice * is_low)
    for layer in hub.store.layers:
        is_readable = os.access(layer, os.R_OK | os.X_OK)
        fact = f"{layer} {'is readable' if is_readable else 'cannot be read'}"
        advice = "" if is_readable else "check DSHUB_SITE_CACHES"
        yield Finding("site cache", "ok" if is_readable else "bad", fact, advice)


def _sharing(root: Path) -> Iterator[Finding]:
    """Report folders of the cache that other users own or can write to."""
    if not hasattr(os, "geteuid"):
        return
    folders = {path: path.stat() for path in (root, *sorted(root.glob("*-v[0-9]")))}
    writable = [path.name for path, status in folders.items() if _is_writable_by_others(status)]
    foreign = [
        path.name for path, status in folders.items() if status.st_uid not in {0, os.geteuid()}
    ]
    if writable:
        yield Finding("sharing", "note", f"others can write to {', '.join(writable)}", SHARED)
    if foreign:
        yield Finding("sharing", "note", f"another user owns {', '.join(foreign)}", SHARED)


def _is_writable_by_others(status: os.stat_result) -> bool:
    """Return True if other users can write to a folder, except for a group with a single user."""
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
    """Check that a second process cannot acquire a held lock."""
    path = folder / "probe.lock"
    try:
        with FileLock(path, timeout=1):
            command = [sys.executable, "-c", TRY_LOCK, str(path)]
            code = subprocess.run(command, check=False, timeout=30).returncode  # noqa: S603  # fixed
    except (OSError, NotImplementedError, subprocess.TimeoutExpired):
        code = 1
    if code == 0:
        return Finding("locks", "ok", "locks exclude other processes")
    fact = "two processes can hold the same lock" if code == 3 else "locks do not work here"
    advice = "no data is at risk, but processes that start together may each download the files"
    return Finding("locks", "note", fact, advice)


def _network(hub: Hub) -> Iterator[Finding]:
    if hub.settings.offline:
        yield Finding("network", "note", "not checked, because DSHUB_OFFLINE is set")
    else:
        yield _hosts(hub)
    proxies = {scheme: url for scheme, url in getproxies().items() if scheme != "no"}
    shown = ", ".join(f"{scheme} through {_proxy(url)}" for scheme, url in proxies.items())
    yield Finding("proxy", "ok", shown or "none")
    bundle = certificates()
    exists = Path(bundle).exists()
    advice = "" if exists else "set REQUESTS_CA_BUNDLE to an existing file of certificates"
    fact = bundle if exists else f"{bundle} does not exist"
    yield Finding("certificates", "ok" if exists else "bad", fact, advice)


def _hosts(hub: Hub) -> Finding:
    """Check that at least one host of files in the registry answers."""
    failures = []
    for host, address in _addresses(hub.settings).items():
        (link,) = ask([address], timeout=min(hub.settings.timeout, HOST_TIMEOUT))
        if link.status is not None:
            return Finding("network", "ok", f"{host} answers")
        failures.append(f"{host}: {link.reason}")
    state: State = "note" if hub.settings.mirrors else "bad"
    return Finding("network", state, f"no source answers ({'; '.join(failures)})", NO_NETWORK)


def _addresses(settings: Settings) -> dict[str, str]:
    """Return a URL for each host to try: hosts in DSHUB_REGISTRY, then those with most files."""
    by_host: dict[str, str] = {}
    for registry in (Registry(settings.registry, built_in=False), Registry()):
        files = [item for manifest in registry.manifests() for item in manifest.resources.values()]
        addresses = {urlsplit(url).netloc: url for item in files for url in reversed(item.urls)}
        count = Counter(urlsplit(url).netloc for item in files for url in item.urls[:1])
        for host, _ in count.most_common(HOSTS):
            by_host.setdefault(host, addresses[host])
    return dict(list(by_host.items())[:HOSTS])


def _proxy(url: str) -> str:
    """Format the URL of a proxy, with `http` as the default scheme."""
    return shown_url(url if "://" in url else f"http://{url}")


def _mirrors(hub: Hub) -> Iterator[Finding]:
    for mirror in hub.settings.mirrors:
        address = Address(mirror)
        if hub.settings.offline and not address.is_local:
            continue
        if address.is_local and not address.path.is_dir():
            fact = f"{shown_url(mirror)}: the folder does not exist"
            yield Finding("mirror", "bad", fact, CHECK_MIRROR)
        else:
            yield _mirror(hub, mirror)


def _mirror(hub: Hub, mirror: str) -> Finding:
    """Measure the download speed of a mirror with the first file that it has."""
    shown = shown_url(mirror)  # without secrets, because users share the output
    with closing(Transports(timeout=min(hub.settings.timeout, 5.0))) as transports:
        for address in _samples(hub, mirror):
            try:
                return Finding("mirror", "ok", f"{shown}: {size(_rate(transports, address))}/s")
            except TransportError as error:
                reason = error.reason if error.unreachable else ""
            if reason:
                return Finding("mirror", "bad", f"{shown}: {reason}", CHECK_MIRROR)
    fact = f"{shown} has none of the requested files"
    return Finding("mirror", "note", fact, "missing files are downloaded from upstream")


def _samples(hub: Hub, mirror: str) -> list[str]:
    """Return addresses of files on a mirror, starting with datasets in the index of the mirror."""
    listed = [
        item.entry for item in Mirrors(hub.settings, hub.store).listed() if item.mirror == mirror
    ]
    largest = [max(entry.files, key=lambda file: file.size or 0) for entry in listed if entry.files]
    samples = dict.fromkeys(f"{mirror.rstrip('/')}/{blob_path(file.checksum)}" for file in largest)
    for manifest in hub.registry.at_hand().manifests():
        name, resource = max(manifest.resources.items(), key=lambda item: item[1].size or 0)
        samples[sources(Job(manifest.name, name, resource), [mirror])[0]] = None
    return list(samples)[:SAMPLES]


def _rate(transports: Transports, address: str) -> int:
    """Return the download speed of a file in bytes per second.

    Raises:
        TransportError: the file cannot be downloaded.
    """
    began, count, buffer = time.monotonic(), 0, memoryview(bytearray(1 << 20))
    with transports.of(address).open(address) as stream:
        while count < SAMPLE_BYTES and time.monotonic() - began < SAMPLE_SECONDS:
            count += (received := stream.readinto(buffer))
            if not received:
                break
    return int(count / max(time.monotonic() - began, 1e-6))


def _software() -> Iterator[Finding]:
    turbo = features.check_feature("libjpeg_turbo")
    jpeg = "libjpeg-turbo" if turbo else "a slow JPEG library"
    installed = [name for name in DECODERS if find_spec(name)]
    yield Finding("decoders", "ok", ", ".join([f"Pillow {pillow} with {jpeg}", *installed]))
    yield Finding("frameworks", "ok", _installed(FRAMEWORKS) or "none")
