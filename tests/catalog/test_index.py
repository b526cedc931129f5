"""Test the index of a folder of manifests."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dshub import Manifest, Registry
from dshub.catalog import index, parsing
from dshub.catalog.sources import encode_index
from tests.catalog.folders import Store, put


@pytest.fixture(params=["settled", "recent"])
def file_age(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with trusted modification times and with files too recent to trust."""
    if request.param == "settled":
        monkeypatch.setattr(index, "_SETTLED", -(10**18))


def titles(root: Path, store: Store) -> dict[str, str]:
    """Return the titles that a new registry lists, by name@version."""
    lines = Registry([root], built_in=False, store=store).listing()
    listed = [line.whole() for line in lines]
    return {f"{item.name}@{item.version}": item.title for item in listed}


@pytest.mark.usefixtures("file_age")
def test_listing_follows_every_change(tmp_path: Path) -> None:
    """An edit that keeps the file's size and modification time is noticed too."""
    store = Store()
    first, second = put(tmp_path, "one", title="aaa"), put(tmp_path, "own/two", title="bbb")
    for _ in range(2):
        assert titles(tmp_path, store) == {"one@1.0.0": "aaa", "own/two@1.0.0": "bbb"}
    before = first.stat()
    put(tmp_path, "one", title="ccc")
    os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert first.stat().st_size == before.st_size
    put(tmp_path, "own/two", "1.10.0", title="ddd")
    put(tmp_path, "own/three", title="eee")
    assert titles(tmp_path, store) == {
        "one@1.0.0": "ccc",
        "own/three@1.0.0": "eee",
        "own/two@1.10.0": "ddd",
    }
    second.with_name("1.10.0.toml").unlink()
    first.unlink()
    assert titles(tmp_path, store) == {"own/three@1.0.0": "eee", "own/two@1.0.0": "bbb"}


@pytest.mark.usefixtures("file_age")
def test_only_changed_manifests_are_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    put(tmp_path, "one"), put(tmp_path, "two")
    titles(tmp_path, store)
    parsed, parse_as = [], parsing.parse_as

    def parse(identifier: str, data: bytes, *, source: str) -> Manifest:
        parsed.append(identifier)
        return parse_as(identifier, data, source=source)

    monkeypatch.setattr(parsing, "parse_as", parse)
    titles(tmp_path, store)
    assert parsed == []
    put(tmp_path, "two", title="other")
    titles(tmp_path, store)
    assert parsed == ["two@1.0.0"]


@pytest.mark.usefixtures("file_age")
def test_link_to_another_folder_is_followed(tmp_path: Path) -> None:
    store, root = Store(), tmp_path / "root"
    put(root, "one")
    (root / "two").symlink_to(tmp_path / "elsewhere")
    assert titles(root, store).keys() == {"one@1.0.0"}
    path = put(tmp_path, "two")
    path.parent.rename(tmp_path / "elsewhere")
    assert titles(root, store).keys() == {"one@1.0.0", "two@1.0.0"}


@pytest.mark.usefixtures("file_age")
def test_faulty_manifest_is_not_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    put(tmp_path, "sound")
    path = put(tmp_path, "faulty")
    text = path.read_text("utf-8")
    path.write_text("schema = 1", "utf-8")
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert titles(tmp_path, store).keys() == {"sound@1.0.0"}
        assert str(path) in caplog.text
    path.write_text(text, "utf-8")
    assert titles(tmp_path, store).keys() == {"faulty@1.0.0", "sound@1.0.0"}


@pytest.mark.parametrize("old_data", [b"", b"[]", b'{"a":1}', b'["0.0.0",{}]', b"\xff\xfe"])
def test_unusable_index_is_rebuilt(tmp_path: Path, old_data: bytes) -> None:
    """A damaged or outdated index is rebuilt from the manifests."""
    put(tmp_path, "one")
    store = Store()
    titles(tmp_path, store)
    store.update(dict.fromkeys(store, old_data))
    assert titles(tmp_path, store) == {"one@1.0.0": "Kuzushiji"}


@pytest.mark.parametrize("old_data", [b"", b"[]", None])
def test_search_works_with_an_unusable_part_of_the_index(
    tmp_path: Path, old_data: bytes | None
) -> None:
    """One part of the index can be damaged or older than the other."""
    path, store = put(tmp_path, "one", title="before"), Store()

    def names(word: str) -> list[str]:
        listed = Registry([tmp_path], built_in=False, store=store).listing([word])
        return [line.name for line in listed]

    assert names("before") == names("tsu") == ["one"]
    (texts,) = (key for key in store if key.endswith(index.TEXTS))
    old_data = store[texts] if old_data is None else old_data
    path.write_text(path.read_text("utf-8").replace("before", "after"), "utf-8")
    assert names("after") == ["one"]
    store[texts] = old_data
    assert names("after") == names("tsu") == ["one"]
    assert names("before") == []


def test_shipped_index_is_used_until_a_file_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "one", title="aaa")
    for name, data in encode_index(tmp_path).items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(index, "INSIDE", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(parsing, "parse_as", None)
        assert titles(tmp_path, Store()) == {"one@1.0.0": "aaa"}
    path.write_text(path.read_text("utf-8").replace("aaa", "bbb"), "utf-8")
    assert titles(tmp_path, Store()) == {"one@1.0.0": "bbb"}


def test_indexed_listing_imports_no_parser(tmp_path: Path) -> None:
    code = (
        "import sys; from dshub.cli import group; group(['list'], standalone_mode=False);"
        "heavy = {'numpy', 'pyarrow', 'tomllib', 'dshub.catalog.parsing'};"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))"
    )
    environment = {**os.environ, "DSHUB_CACHE": str(tmp_path / "cache")}
    (tmp_path / "cache").mkdir()
    command = [sys.executable, "-P", "-c", code]  # -P keeps the working folder out of sys.path
    for _ in range(2):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert "fashion-mnist" in done.stdout
    assert done.stderr == ""


@pytest.mark.usefixtures("file_age")
def test_folder_listed_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "one")
    store = Store()
    for _ in range(2):
        listed = Registry([tmp_path, tmp_path], built_in=False, store=store).listing()
        assert [item.name for item in listed] == ["one"]
        monkeypatch.setattr(parsing, "parse_as", None)
