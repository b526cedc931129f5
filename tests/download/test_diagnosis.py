"""Test explanations of wrong downloaded bytes."""

import gzip
import time
from pathlib import Path

import pytest

from dshub.cache.partial import Partial
from dshub.cache.store import Store
from dshub.cache.usage import usage
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.diagnosis import diagnose
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import ChecksumError, FetchError
from dshub.mirrors.serve.server import serving

PUBLISHED = gzip.compress(bytes(range(256)) * 100, mtime=1)
PORTAL = b"\n<!DOCTYPE html><html><head><title>Caf\xc3\xa9 &amp; Bar:\n Sign in</title>"


def append(partial: Partial, data: bytes) -> None:
    """Append bytes to a partial download."""
    span = partial.claim(None)
    assert span is not None
    partial.write(span, memoryview(data))
    partial.release(span)


def errors_for(data: bytes, store: Store, folder: Path) -> tuple[ChecksumError, FetchError]:
    """Fetch wrong bytes and return the checksum error and the fetch error."""
    folder.mkdir()
    (folder / "data.gz").write_bytes(data)
    with serving(folder) as url, pytest.raises(FetchError) as caught:
        digest, size = Digest.of_bytes(PUBLISHED).hex, len(PUBLISHED)
        resource = Resource(urls=(f"{url}/data.gz",), sha256=digest, size=size)
        Fetcher(store).fetch([Job("set", "data", resource)])
    [attempts] = caught.value.attempts.values()
    [error] = attempts
    assert isinstance(error, ChecksumError)
    return error, caught.value


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (PORTAL, "an HTML page titled 'Café & Bar: Sign in'", "log in"),
        (b"<html><title>Quota exceeded</title>", "about a quota", "try again later"),
        (b"<!doctype html><p>Not here.", "an HTML page", "browser"),
        (b"<html><title>\x1b[31mred\x07</title>", "titled '[31mred'", "browser"),
        (PUBLISHED[:-20], "cut short", "part of the file"),
        (b"more" + PUBLISHED, "longer than the published file", ""),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer", "git lfs pull"),
        (b"/annex/objects/SHA256E-s9--ab.gz\n", "git-annex pointer", "git annex get"),
        (b"outs:\n- md5: 5d\n  path: data.gz\n", "DVC pointer", "dvc pull"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "'NoSuchKey'", "newer version"),
        (b'{"message": "Rate limit exceeded"}', "'Rate limit exceeded'", "try again later"),
        (b"Access denied\n", "'Access denied'", "access to the file"),
        (b"", "empty", "try again later"),
        (PUBLISHED[:-1] + b"?", "changed upstream", "newer version of the dataset"),
        (b"\0" * len(PUBLISHED), "", ""),
    ],
    ids=[
        "login",
        "quota",
        "page",
        "control-characters",
        "cut",
        "long",
        "lfs",
        "annex",
        "dvc",
        "xml",
        "json",
        "text",
        "empty",
        "changed",
        "zeros",
    ],
)
def test_wrong_bytes_are_explained(
    data: bytes, message: str, hint: str, store: Store, tmp_path: Path
) -> None:
    checksum_error, fetch_error = errors_for(data, store, tmp_path / "upstream")
    assert message in checksum_error.diagnosis
    assert message in str(fetch_error)
    assert hint in fetch_error.hint
    assert "DSHUB_MIRROR" in fetch_error.hint
    assert fetch_error.exit_code == 5


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (b"<title>" * 9_000, ""),
        (b"<TITLE\n>" + b" " * 60_000 + b"x</Title>", ""),
        (b"<title>&#" + b"9" * 9_000 + b";</title>", " titled"),
        (b"</title><title x='y'>Sign\n in</title><title>more</title>", " titled 'Sign in'"),
    ],
    ids=["many", "long", "digits", "second"],
)
def test_any_page_is_diagnosed_quickly(page: bytes, title: str, tmp_path: Path) -> None:
    """Unclosed titles and huge character references take linear time."""
    path = tmp_path / "page"
    path.write_bytes(b"<html>" + page)
    began = time.process_time()
    clause, _ = diagnose(path, Resource(), len(page))
    assert time.process_time() - began < 0.5
    assert f"an HTML page{title}" in clause


def test_wrong_bytes_are_kept_until_the_file_arrives(store: Store, tmp_path: Path) -> None:
    for i in range(3):
        error, _ = errors_for(PORTAL, store, tmp_path / f"upstream{i}")
    kept = Path(error.kept)
    assert kept.read_bytes() == PORTAL
    assert [item.path for item in usage(store.root) if item.size] == [kept]

    with store.partial(Digest.of_bytes(PUBLISHED)) as partial:
        append(partial, PUBLISHED)
        store.publish(partial)
    assert not kept.exists()
