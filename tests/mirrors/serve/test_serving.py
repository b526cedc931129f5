"""The server for a folder, as any HTTP client sees it."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import pytest
import requests

from dshub.mirrors.serve.places import of_mirror
from dshub.mirrors.serve.server import serving
from tests.independent.wire import ask, connect, parse, request, rest, say


def test_files_and_parts_of_them(url: str, data: bytes) -> None:
    """The whole, a range, an open range, the last bytes; HEAD without a body."""
    whole = requests.get(f"{url}/sub/data", timeout=5)
    assert whole.content == data
    for told, expected in {
        "1000-1999": data[1000:2000],
        "255000-": data[255000:],
        "-500": data[-500:],
        "-999999": data,
        "255999-300000": data[-1:],
        "0-0": data[:1],
    }.items():
        part = ask(url, "/sub/data", Range=f"bytes={told}")
        assert (part.status, part.body) == (206, expected)
        start = len(data) - len(expected) if data.endswith(expected) else int(told.split("-")[0])
        stop = start + len(expected) - 1
        if len(expected) < len(data):
            assert part.headers["content-range"] == f"bytes {start}-{stop}/{len(data)}"
    head = ask(url, "/sub/data", "HEAD")
    assert (head.headers["content-length"], head.body) == (str(len(data)), b"")
    assert ask(url, "/empty").body == b""


@pytest.mark.parametrize(
    "told", ["bytes=5-1", "bytes=a-b", "lines=1-2", "bytes=0-1,5-9", "bytes=-"]
)
def test_what_is_no_single_range_gets_the_whole_file(url: str, data: bytes, told: str) -> None:
    """Several ranges, other units and nonsense are passed over, as the standard allows."""
    reply = ask(url, "/sub/data", Range=told)
    assert (reply.status, reply.body) == (200, data)


@pytest.mark.parametrize("told", ["bytes=999999-", "bytes=256000-", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(url: str, told: str) -> None:
    """The refusal says how large the file is."""
    reply = ask(url, "/sub/data", Range=told)
    assert (reply.status, reply.headers["content-range"]) == (416, "bytes */256000")


def test_a_range_is_only_of_the_file_the_client_knows(url: str, data: bytes) -> None:
    """If-Range with another validator, or a weak one, gives the whole file."""
    headers = ask(url, "/sub/data", "HEAD").headers
    for told, status in {
        headers["etag"]: 206,
        headers["last-modified"]: 206,
        '"other"': 200,
        f"W/{headers['etag']}": 200,
        formatdate(0, usegmt=True): 200,
    }.items():
        reply = ask(url, "/sub/data", Range="bytes=10-", If_Range=told)
        assert (reply.status, reply.body) == (status, data[10 if status == 206 else 0 :])


def test_a_client_that_has_the_file_gets_no_bytes(url: str) -> None:
    """If-None-Match and If-Modified-Since are answered with 304; of both, the first counts."""
    known = ask(url, "/sub/data", "HEAD").headers
    etag, date = known["etag"], known["last-modified"]
    cases: list[tuple[Mapping[str, str], int]] = [
        ({"If_None_Match": etag}, 304),
        ({"If_None_Match": f'"a", W/{etag}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_Modified_Since": date}, 304),
        ({"If_Modified_Since": formatdate(0, usegmt=True)}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_None_Match": '"other"', "If_Modified_Since": date}, 200),
    ]
    for headers, status in cases:
        reply = ask(url, "/sub/data", **headers)
        assert reply.status == status, headers
        assert reply.headers["etag"] == etag
        assert bool(reply.body) == (status == 200)


def test_a_client_that_relies_on_a_state_is_told_of_another(url: str) -> None:
    """If-Match and If-Unmodified-Since that do not hold are 412: no bytes of another state."""
    known = ask(url, "/sub/data", "HEAD").headers
    etag, date = known["etag"], known["last-modified"]
    cases: list[tuple[Mapping[str, str], int]] = [
        ({"If_Match": etag}, 206),
        ({"If_Match": f'"a", {etag}'}, 206),
        ({"If_Match": "*"}, 206),
        ({"If_Match": '"other"'}, 412),
        ({"If_Match": f"W/{etag}"}, 412),
        ({"If_Unmodified_Since": date}, 206),
        ({"If_Unmodified_Since": formatdate(0, usegmt=True)}, 412),
        ({"If_Unmodified_Since": "yesterday"}, 206),
        ({"If_Match": etag, "If_Unmodified_Since": formatdate(0, usegmt=True)}, 206),
    ]
    for headers, status in cases:
        assert ask(url, "/sub/data", Range="bytes=10-", **headers).status == status, headers


def test_a_person_who_finds_no_pages_is_told_what_is_there(url: str) -> None:
    """A browser that follows the address of a mirror without pages shows how to use it."""
    reply = ask(url, "/")
    assert reply.status == 404
    assert b"DSHUB_MIRROR" in reply.body


def test_a_file_that_changed_has_another_etag(url: str, folder: Path) -> None:
    """The same size does not hide it."""
    before = ask(url, "/sub/data").headers["etag"]
    (folder / "sub" / "data").write_bytes(bytes(256000))
    assert ask(url, "/sub/data", If_None_Match=before).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/%2E%2e%2fsecret",
        "/..%5csecret",
        "/..\\secret",
        "/sub/../../secret",
        "/sub/../sub/data",
        "/./sub/data",
        "/sub//data",
        "/link",
        "/up/secret",
        "/up/folder/sub/data/../../../secret",
        "/loop",
        "/sub/data%00",
        "/sub/data%0a",
        "/sub/data.",
        "/sub/data%20",
        "/sub/data::$DATA",
        "/C:/secret",
        "/C:%5csecret",
        "/nul",
        "/sub/CON.txt",
        "/%ff",
        "/%252e%252e/secret",
        "//[::1",
        "/" + "a" * 300,
        "//etc/passwd",
        "/sub",
        "/sub/",
        "/",
        "/no",
    ],
)
def test_paths_cannot_lead_out(url: str, path: str) -> None:
    """Whatever is asked for, only files in the folder are answered, and no folder is listed."""
    reply = ask(url, path)
    assert reply.status == 404
    assert b"secret" not in reply.body
    assert b"data" not in reply.body


def test_a_link_within_the_folder_is_followed(url: str, data: bytes) -> None:
    """Where it leads does not lie outside."""
    assert ask(url, "/inside").body == data


def test_names_are_decoded_once_and_queries_do_not_count(url: str, folder: Path) -> None:
    """A name may have blanks, percent signs and letters of any language."""
    for name in ("a b", "100%", "grün", "%41"):
        (folder / name).write_text(name)
    assert ask(url, "/a%20b?version=1").body == b"a b"
    assert ask(url, "/100%25").body == b"100%"
    assert ask(url, "/gr%C3%BCn").body.decode() == "grün"
    assert ask(url, "/%2541").body == b"%41"
    assert ask(url, "http://elsewhere/sub/data").status == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /sub/data HTTP/1.1\r\n\r\n", 400),  # no host
        (b"GET /sub/data HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /sub/data HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /sub/data HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        (b"GET  /sub/data HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /sub/data\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),  # TLS
        (b"GET sub/data HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /sub/data HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 9000, 431),
        (b"PUT /new HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"DELETE /sub/data HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_for_a_file_is_refused(url: str, data: bytes, status: int) -> None:
    """With a status that says why, and the connection is closed where it cannot go on."""
    data = data.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n")
    assert say(url, data).status == status


def test_nothing_can_be_written(url: str, folder: Path, data: bytes) -> None:
    """Other methods change nothing, and are told which there are."""
    for method in ("PUT", "POST", "DELETE", "PATCH", "MKCOL", "OPTIONS"):
        reply = ask(url, "/sub/data", method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert (folder / "sub" / "data").read_bytes() == data


def test_a_connection_is_used_again(url: str, data: bytes) -> None:
    """Requests one behind the other, sent at once, are answered in turn on one connection."""
    requests_ = [
        request("/sub/data", Connection="keep-alive", Range="bytes=0-9"),
        request("/no", "HEAD", Connection="keep-alive"),
        b"\r\n" + request("/sub/data", "HEAD", Connection="keep-alive"),
        request("/sub/data", Range="bytes=10-19"),
    ]
    with connect(url) as connection:
        connection.sendall(b"".join(requests_))
        replies = rest(connection).split(b"HTTP/1.1 ")[1:]
    assert [reply[:3] for reply in replies] == [b"206", b"404", b"200", b"206"]
    assert replies[0].endswith(data[:10])
    assert replies[3].endswith(data[10:20])


def test_clients_of_http_1_0(url: str, data: bytes) -> None:
    """The connection is closed after the answer, unless the client asks to keep it."""
    assert say(url, b"GET /sub/data HTTP/1.0\r\n\r\n").body == data
    with connect(url) as connection:
        connection.sendall(b"HEAD /empty HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"keep-alive" in connection.recv(65536)
        connection.sendall(b"GET /sub/data HTTP/1.0\r\n\r\n")
        assert parse(rest(connection)).body == data


def test_many_clients(url: str, data: bytes) -> None:
    """Two hundred connections at once get the same bytes."""
    connections = [connect(url) for _ in range(200)]
    for connection in connections:
        connection.sendall(request("/sub/data"))
    with ThreadPoolExecutor(16) as pool:
        for reply in pool.map(lambda connection: parse(rest(connection)), connections):
            assert reply.body == data
    for connection in connections:
        connection.close()


MIRROR = {
    "index.json": "application/json",
    "index.json.sig": "application/octet-stream",
    "registry/glue/sst2/1.0.0.toml": "application/toml",
    "tables-v1/glue/sst2/0123/train-00000-of-00001.arrow": "application/vnd.apache.arrow.stream",
    "tables-v1/mnist/0123/table.json": "application/json",
}
PAGES = {
    "index.html": "text/html; charset=utf-8",
    "datasets/mnist.html": "text/html; charset=utf-8",
    "assets/site.js": "text/javascript; charset=utf-8",
    "assets/site.css": "text/css; charset=utf-8",
    "assets/samples.png": "image/png",
    "assets/sound.wav": "audio/wav",
}
PRIVATE = [
    ".hidden",
    "CACHEDIR.TAG",
    "pins-v1/mnist.pin",
    "synthetic-v1/mnist/0.json",
    "partial-v1/text.html",
    "partial-v1/0123/data",
    "blobs-v1/aa/notes.txt",
    "blobs-v1/ab/" + "0" * 64,
    "blobs-v1/" + "0" * 64,
    "registry/.git/config.toml",
    "registry/notes.md",
    "tables-v1/mnist/0123/train.tmp",
    "tables-v1/secret.json",
    "assets/.cache/site.js",
    "assets/program.py",
    "key",
]


def fill(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_a_mirror_serves_what_is_for_others(tmp_path: Path) -> None:
    """Files under their checksums, tables, manifests, the index, and pages; each with its type."""
    content = b"published"
    digest = hashlib.sha256(content).hexdigest()
    blob = f"blobs-v1/{digest[:2]}/{digest}"
    fill(tmp_path, [*MIRROR, *PAGES, *PRIVATE, blob])
    with serving(tmp_path, public=of_mirror) as url:
        for name, kind in (MIRROR | PAGES | {blob: "application/octet-stream"}).items():
            reply = ask(url, f"/{name}")
            assert (reply.status, reply.body.decode()) == (200, name)
            assert reply.headers["content-type"] == kind
        assert ask(url, f"/{blob}").headers["etag"] == f'"{digest}"'
        assert ask(url, "/").body == b"index.html"


def test_a_mirror_keeps_the_rest_to_itself(tmp_path: Path) -> None:
    """Nothing unfinished, nothing hidden, no list of a folder, and no file of another kind."""
    fill(tmp_path, [*MIRROR, *PAGES, *PRIVATE])
    with serving(tmp_path, public=of_mirror) as url:
        for name in PRIVATE:
            assert ask(url, f"/{name}").status == 404, name
        for name in ("/blobs-v1/", "/registry", "/tables-v1/mnist/", "/datasets/", "/BLOBS-V1/aa"):
            assert ask(url, name).status == 404, name


def test_a_folder_without_a_catalogue_shows_no_pages(tmp_path: Path) -> None:
    """Who serves a wrong folder by mistake does not publish the pictures in it."""
    fill(tmp_path, ["holiday.jpg", "letter.html", "notes.txt"])
    with serving(tmp_path, public=of_mirror) as url:
        for name in ("holiday.jpg", "letter.html", "notes.txt", ""):
            assert ask(url, f"/{name}").status == 404
