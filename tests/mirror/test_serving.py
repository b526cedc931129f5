"""The server for a folder."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from dshub.mirror import serving

DATA = bytes(range(256)) * 1000


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A served folder with a file, and a secret beside the folder."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "data").write_bytes(DATA)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to("loop")
    with serving(folder) as address:
        yield address


def test_files_and_parts_of_them(url: str) -> None:
    """The whole, a range, an open range; HEAD without a body."""
    whole = requests.get(f"{url}/sub/data", timeout=5)
    assert whole.content == DATA
    part = requests.get(f"{url}/sub/data", headers={"Range": "bytes=1000-1999"}, timeout=5)
    assert (part.status_code, part.content) == (206, DATA[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(DATA)}"
    rest = requests.get(f"{url}/sub/data", headers={"Range": "bytes=255000-"}, timeout=5)
    assert rest.content == DATA[255000:]
    head = requests.head(f"{url}/sub/data", timeout=5)
    assert (head.headers["Content-Length"], head.content) == (str(len(DATA)), b"")


def test_a_range_is_only_of_the_file_the_client_knows(url: str) -> None:
    """If-Range with another validator gives the whole file; a range beyond the end is refused."""
    etag = requests.head(f"{url}/sub/data", timeout=5).headers["ETag"]
    headers = {"Range": "bytes=10-", "If-Range": etag}
    assert requests.get(f"{url}/sub/data", headers=headers, timeout=5).status_code == 206
    headers["If-Range"] = '"other"'
    assert requests.get(f"{url}/sub/data", headers=headers, timeout=5).content == DATA
    beyond = requests.get(f"{url}/sub/data", headers={"Range": "bytes=999999-"}, timeout=5)
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/sub/../../secret",
        "/link",
        "/loop",
        "/sub/data%00",
        "//[::1",
        "/" + "a" * 300,
        "//etc/passwd",
        "/sub",
        "/",
        "/no",
    ],
)
def test_paths_cannot_lead_out(url: str, path: str) -> None:
    """Whatever is asked for, only files in the folder are answered."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"secret" not in answer


def test_many_clients(url: str) -> None:
    """Concurrent clients get the same bytes."""
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda _: requests.get(f"{url}/sub/data", timeout=10).content, range(64))
        assert all(content == DATA for content in found)
