"""Scenarios, and the servers that play them."""

import gzip
import random
import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from dshub.testing.answers import Fault
from dshub.testing.server import FaultyServer, faulty_server

Outcome = Literal[
    "passes",  # the right file must arrive from this source alone
    "lasts",  # a clear error, and nothing at the final path
    "legal",  # not a fault: the file must arrive at the first try
]
Place = Literal[
    "http",
    "https",  # with a certificate of the stage's authority
    "self-signed",  # with a certificate of an unknown authority
    "other-name",  # with a certificate of the stage's authority, for another host
    "expired",  # with a certificate that expired yesterday
    "refused",  # a port without a listener
    "backlog",  # a listener that never accepts connections
    "unknown-host",  # a name that cannot be resolved
]

FILE_SIZE = 2_000_000  # bytes, about


@dataclass(frozen=True)
class Scenario:
    """One behavior of a source.

    Attributes:
        name: the behavior in words.
        outcome: the right result.
        faults: applied to the requests of each path, in order.
        place: where the source is.
        says: for `lasts`, a pattern that the error must match, ignoring case.
        code: for `lasts`, the exit code: 4 if no file came, 5 if wrong bytes came.
        most: limit of the bytes received from all sources, in multiples of the file size.
        requests: for `legal`, limit of requests for each file; 0 if a file may be split.
        files: how many files are requested at once.
        patient: the server expects clients to wait before they retry.
        login: the address carries a name and a password.
    """

    name: str
    outcome: Outcome
    faults: tuple[Fault, ...] = ()
    place: Place = "http"
    says: str = ""
    code: int = 4
    most: float = 2.0
    requests: int = 1
    files: int = 1
    patient: bool = False
    login: bool = False

    def __str__(self) -> str:
        return self.name


def write_files(folder: Path, count: int = 1) -> dict[str, bytes]:
    """Write the files to serve, `data-0.gz` and so on; returns their bytes by name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for i in range(count):
        data = random.Random(i).randbytes(FILE_SIZE)  # not a secret
        files[f"data-{i}.gz"] = gzip.compress(data, compresslevel=0, mtime=0)
        (folder / f"data-{i}.gz").write_bytes(files[f"data-{i}.gz"])
    return files


@dataclass(frozen=True)
class Stage:
    """The servers of a scenario.

    Attributes:
        url: the address of the source, without a file name.
        server: the source; if it cannot be reached, a server without requests.
        elsewhere: another host with the same files, and a portal's page at `/portal`.
        authority: the certificate file that clients must trust, if the scenario uses TLS.
    """

    url: str
    server: FaultyServer
    elsewhere: FaultyServer
    authority: Path | None

    @property
    def sent(self) -> int:
        """Bytes of bodies that all servers sent."""
        return self.server.sent + self.elsewhere.sent

    def heal(self) -> None:
        """Remove all faults of the source's responses."""
        self.server.faults.clear()


@contextmanager
def play(scenario: Scenario, folder: Path) -> Iterator[Stage]:
    """Run the servers of a scenario.

    Args:
        scenario: the behavior of the source.
        folder: the files to serve, as `write_files` writes them.
    """
    with ExitStack() as stack:
        enter = stack.enter_context
        elsewhere = enter(faulty_server(folder, {"/portal": Fault("page")}))
        (folder / "portal").touch()
        words = {
            "elsewhere": elsewhere.url.replace("127.0.0.1", "localhost"),
            "folder": folder.as_posix(),
        }
        authority = None
        if "{secure}" in repr(scenario.faults) or scenario.place in _CERTIFICATES:
            authority = _Authority(Path(enter(tempfile.TemporaryDirectory())))
            words["secure"] = enter(faulty_server(folder, tls=authority.context("https"))).url
        server = _source(scenario, folder, words, authority, stack)
        url = server.url.replace("://", "://user:correct-horse@") if scenario.login else server.url
        yield Stage(url, server, elsewhere, authority.path if authority else None)


def _source(
    scenario: Scenario,
    folder: Path,
    words: Mapping[str, str],
    authority: "_Authority | None",
    stack: ExitStack,
) -> FaultyServer:
    place = scenario.place
    if place == "unknown-host":
        return FaultyServer("http://data.invalid")  # RFC 6761: cannot be resolved
    if place == "refused":
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        return FaultyServer(f"http://127.0.0.1:{bound.getsockname()[1]}")
    if place == "backlog":
        return FaultyServer(_full(stack))
    tls = authority.context(place) if authority and place in _CERTIFICATES else None
    return stack.enter_context(faulty_server(folder, {"*": scenario.faults}, tls=tls, words=words))


def _full(stack: ExitStack) -> str:
    """The address of a socket with a full queue of connections."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(8):
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(0)
        waiting.connect_ex(listener.getsockname())
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


# the host of a certificate, and the days until it expires
_CERTIFICATES = {
    "https": ("127.0.0.1", 1),
    "self-signed": ("127.0.0.1", 1),
    "other-name": ("data.example", 1),
    "expired": ("127.0.0.1", -1),
}


class _Authority:
    """Issues certificates.

    Attributes:
        path: the certificate file that clients must trust.
    """

    def __init__(self, folder: Path) -> None:
        import trustme

        self._known, self._unknown = trustme.CA(), trustme.CA()
        self.path = folder / "authority.pem"
        self._known.cert_pem.write_to_path(str(self.path))

    def context(self, place: str) -> ssl.SSLContext:
        """The TLS context of a server at a place."""
        host, days = _CERTIFICATES[place]
        issuer = self._unknown if place == "self-signed" else self._known
        end = datetime.now(UTC) + timedelta(days=days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(host, not_after=end).configure_cert(context)
        return context
