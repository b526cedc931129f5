"""Where a scenario is played: a source that misbehaves, and the servers around it."""

import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dshub.testing.answers import Fault
from dshub.testing.scenarios import Scenario
from dshub.testing.server import FaultyServer, faulty_server

PASSWORD = "correct-horse"  # noqa: S105  # of nothing


@dataclass(frozen=True)
class Stage:
    """What is running.

    Attributes:
        url: the address of the source, without a file's name.
        server: the source; where there is none (nobody listens), one that was asked for nothing.
        elsewhere: another host with the same files, and a portal's page at `/portal`.
        authority: the file of certificates that clients are to trust; None where none is needed.
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
        """From now on nothing goes wrong, as far as that is the server's doing."""
        self.server.faults.clear()


@contextmanager
def play(scenario: Scenario, folder: Path) -> Iterator[Stage]:
    """Have a source behave as a scenario says, while the block runs.

    Args:
        scenario: what goes wrong.
        folder: the files to serve, as `write_files` writes them.
    """
    with ExitStack() as stack:
        enter = stack.enter_context
        elsewhere = enter(faulty_server(folder, {"/portal": Fault("page")}))
        (folder / "portal").touch()
        port = elsewhere.url.rpartition(":")[2]
        words = {"elsewhere": f"http://localhost:{port}", "folder": folder.as_posix()}
        needs_tls = "{secure}" in repr(scenario.faults) or scenario.place in _CERTIFICATES
        authority = _Authority(enter(_temporary())) if needs_tls else None
        if authority is not None:
            tls = authority.server("https")
            words["secure"] = enter(faulty_server(folder, tls=tls)).url
        server = enter(_source(scenario, folder, words, authority))
        url = server.url
        if scenario.login:
            url = url.replace("://", f"://user:{PASSWORD}@")
        yield Stage(url, server, elsewhere, authority.path if authority else None)


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def _source(
    scenario: Scenario, folder: Path, words: Mapping[str, str], authority: "_Authority | None"
) -> Iterator[FaultyServer]:
    place = scenario.place
    if place == "unknown-host":
        yield FaultyServer("http://data.invalid")  # RFC 6761: no resolver knows it
    elif place == "refused":
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            yield FaultyServer(f"http://127.0.0.1:{held.getsockname()[1]}")
    elif place == "backlog":
        with ExitStack() as stack:
            yield FaultyServer(_full(stack))
    else:
        tls = authority.server(place) if authority and place in _CERTIFICATES else None
        with faulty_server(folder, {"*": scenario.faults}, tls=tls, words=words) as server:
            yield server


def _full(stack: ExitStack) -> str:
    """The address of a socket whose queue of connections is full."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(8):
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(0)
        waiting.connect_ex(listener.getsockname())
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


# the name that a certificate is for, and the days that it is valid from now on
_CERTIFICATES = {
    "https": ("127.0.0.1", 1),
    "self-signed": ("127.0.0.1", 1),
    "other-name": ("data.example", 1),
    "expired": ("127.0.0.1", -1),
}


class _Authority:
    """Issues certificates.

    Attributes:
        path: the file that a client is to trust.
    """

    def __init__(self, folder: Path) -> None:
        import trustme

        self._known, self._unknown = trustme.CA(), trustme.CA()
        self.path = folder / "authority.pem"
        self._known.cert_pem.write_to_path(str(self.path))

    def server(self, place: str) -> ssl.SSLContext:
        """What a server in such a place speaks TLS with."""
        name, days = _CERTIFICATES[place]
        issuer = self._unknown if place == "self-signed" else self._known
        end = datetime.now(UTC) + timedelta(days=days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(name, not_after=end).configure_cert(context)
        return context
