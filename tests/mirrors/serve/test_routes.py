import hashlib
from pathlib import Path

import pytest

from dshub.mirrors.serve.routes import of_mirror
from dshub.mirrors.serve.server import serving
from tests.independent.wire import ask


def test_404_explains_how_to_use_the_mirror(url: str) -> None:
    reply = ask(url, "/")
    assert reply.status == 404
    assert b"DSHUB_MIRROR" in reply.body


def test_changed_file_gets_a_new_etag(url: str, folder: Path) -> None:
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
def test_unsafe_path_is_404(url: str, path: str) -> None:
    reply = ask(url, path)
    assert reply.status == 404
    assert b"secret" not in reply.body
    assert b"data" not in reply.body


def test_link_within_the_folder_is_followed(url: str, data: bytes) -> None:
    assert ask(url, "/inside").body == data


def test_path_is_decoded_once_without_its_query(url: str, folder: Path) -> None:
    """File names can contain spaces, percent signs and non-ASCII letters."""
    for name in ("a b", "100%", "grün", "%41"):
        (folder / name).write_text(name)
    assert ask(url, "/a%20b?version=1").body == b"a b"
    assert ask(url, "/100%25").body == b"100%"
    assert ask(url, "/gr%C3%BCn").body.decode() == "grün"
    assert ask(url, "/%2541").body == b"%41"
    assert ask(url, "http://elsewhere/sub/data").status == 200


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


def test_public_files_of_a_mirror_are_served_with_their_types(tmp_path: Path) -> None:
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


def test_other_files_of_a_mirror_are_not_served(tmp_path: Path) -> None:
    fill(tmp_path, [*MIRROR, *PAGES, *PRIVATE])
    with serving(tmp_path, public=of_mirror) as url:
        for name in PRIVATE:
            assert ask(url, f"/{name}").status == 404, name
        for name in ("/blobs-v1/", "/registry", "/tables-v1/mnist/", "/datasets/", "/BLOBS-V1/aa"):
            assert ask(url, name).status == 404, name


def test_pages_are_served_only_with_an_index_page(tmp_path: Path) -> None:
    fill(tmp_path, ["holiday.jpg", "letter.html", "notes.txt"])
    with serving(tmp_path, public=of_mirror) as url:
        for name in ("holiday.jpg", "letter.html", "notes.txt", ""):
            assert ask(url, f"/{name}").status == 404
