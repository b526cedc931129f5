"""Define scenarios and run their servers."""

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
    "transient",  # this source alone must deliver the file
    "permanent",  # the fetch must fail with a clear error and leave no file at the final path
    "valid",  # not a fault: the first try must deliver the file
]
Place = Literal[
    "http",
    "https",  # certificate of the trusted authority
    "self-signed",  # certificate of an unknown authority
    "other-name",  # certificate of the trusted authority for another host
    "expired",  # certificate that expired yesterday
    "refused",  # port without a listener
    "backlog",  # listener that never accepts connections
    "unknown-host",  # host name that cannot be resolved
]

FILE_SIZE = 2_000_000  # approximate bytes per file


@dataclass(frozen=True)
class Scenario:
    """One behavior of a source.

    Attributes:
        name: description, which is also the test ID.
        outcome: kind of faults, which determines the expected result of a fetch.
        faults: faults of the responses for each path, in order.
        place: kind of server.
        says: pattern of the error message for `permanent`, ignoring case.
        code: exit code for `permanent`, 4 if no file arrived and 5 if its bytes were wrong.
        most: limit of bytes received from all sources, in multiples of the file size.
        requests: limit of requests per file for `valid`, or 0 if a file can be split.
        files: number of files to fetch in parallel.
        patient: True if clients must wait before they retry.
        login: True if the URL has a user name and a password.
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
    """Write `count` files named `data-0.gz` and so on, and return their bytes by name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for i in range(count):
        data = random.Random(i).randbytes(FILE_SIZE)  # test data, not a secret
        files[f"data-{i}.gz"] = gzip.compress(data, compresslevel=0, mtime=0)
        (folder / f"data-{i}.gz").write_bytes(files[f"data-{i}.gz"])
    return files


@dataclass(frozen=True)
class Stage:
    """Servers of a scenario.

    Attributes:
        url: URL of the source, without a file name.
        server: the source, or a server without requests if the source is unreachable.
        elsewhere: another host with the same files and a login page at `/portal`.
        authority: file of the certificate that clients must trust, if the scenario uses TLS.
    """

    url: str
    server: FaultyServer
    elsewhere: FaultyServer
    authority: Path | None

    @property
    def sent(self) -> int:
        """Bytes of response bodies that all servers sent."""
        return self.server.sent + self.elsewhere.sent

    def heal(self) -> None:
        """Remove all faults of the source."""
        self.server.faults.clear()


@contextmanager
def play(scenario: Scenario, folder: Path) -> Iterator[Stage]:
    """Run the servers of a scenario.

    Args:
        scenario: behavior of the source.
        folder: folder that `write_files` filled.
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
        return FaultyServer("http://data.invalid")  # reserved by RFC 6761, never resolves
    if place == "refused":
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        return FaultyServer(f"http://127.0.0.1:{bound.getsockname()[1]}")
    if place == "backlog":
        return FaultyServer(url_of_full_queue(stack))
    tls = authority.context(place) if authority and place in _CERTIFICATES else None
    return stack.enter_context(faulty_server(folder, {"*": scenario.faults}, tls=tls, words=words))


def url_of_full_queue(stack: ExitStack) -> str:
    """Return the URL of a socket with a full queue of connections."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(8):
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(0)
        waiting.connect_ex(listener.getsockname())
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


# host of the certificate, and days until it expires
_CERTIFICATES = {
    "https": ("127.0.0.1", 1),
    "self-signed": ("127.0.0.1", 1),
    "other-name": ("data.example", 1),
    "expired": ("127.0.0.1", -1),
}


class _Authority:
    """Certificate authority.

    Attributes:
        path: certificate file that clients must trust.
    """

    def __init__(self, folder: Path) -> None:
        import trustme

        self._known, self._unknown = trustme.CA(), trustme.CA()
        self.path = folder / "authority.pem"
        self._known.cert_pem.write_to_path(str(self.path))

    def context(self, place: str) -> ssl.SSLContext:
        """Return the TLS context of a kind of server."""
        host, days = _CERTIFICATES[place]
        issuer = self._unknown if place == "self-signed" else self._known
        end = datetime.now(UTC) + timedelta(days=days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(host, not_after=end).configure_cert(context)
        return context
