"""Test checking URLs without downloading files."""

from pathlib import Path

from dshub.download.links import ask
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server


def test_each_url_gets_one_answer(upstream: Path, content: bytes) -> None:
    """A repeated URL is requested once, and a missing file is an answer too."""
    with faulty_server(upstream) as server:
        good, missing = f"{server.url}/data.bin", f"{server.url}/missing"
        links = {link.url: link for link in ask([good, missing, good], timeout=1)}
        assert len(server.requests) <= 3  # HEAD, and one GET because servers can refuse HEAD
    assert links.keys() == {good, missing}
    assert (links[good].reachable, links[good].total) == (True, len(content))
    assert (links[missing].reachable, links[missing].status) == (False, 404)


def test_busy_server_gets_a_second_request(upstream: Path) -> None:
    with faulty_server(upstream, {"/data.bin": Fault("status", times=1, status=503)}) as server:
        (link,) = ask([f"{server.url}/data.bin"], timeout=1)
    assert link.reachable


def test_unknown_scheme_is_a_reason(tmp_path: Path) -> None:
    links = list(ask(["gopher://x/y", str(tmp_path / "missing")], timeout=1))
    assert all(link.status is None and link.reason for link in links)
