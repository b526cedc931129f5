import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import Registry
from dshub.errors import ChecksumError, ReadError
from dshub.mirrors.index import BlobFacts, Index
from tests.mirrors.indexes import INDEX, NAMES, entries

DATA = INDEX.encode()


def test_written_index_is_read() -> None:
    again = Index.read(DATA, source="m")
    assert again == INDEX
    plain = json.loads(DATA)
    assert [entry["name"] for entry in plain["datasets"]] == sorted(NAMES)
    manifest = Registry().manifest("mnist")
    mnist = plain["datasets"][-1]
    assert mnist["rows"] == {"train": 60000, "test": 10000}
    assert mnist["rows_digest"] == manifest.digest
    assert {item["digest"] for item in mnist["files"]} == {
        str(item.digest) for item in manifest.resources.values()
    }


def test_same_datasets_give_the_same_bytes() -> None:
    assert Index.of(reversed(entries())).encode() == DATA


@given(place=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_flipped_bit_never_changes_the_entries(place: int, bit: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= 1 << bit
    with suppress(ChecksumError, ReadError):
        assert Index.read(bytes(damaged), source="m").datasets == INDEX.datasets


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../up"},
        {"name": "a/../../b"},
        {"name": "/etc/passwd"},
        {"version": "../1.0.0"},
        {"name": "a\\b"},
        {"name": ""},
    ],
)
def test_unsafe_name_is_rejected(change: dict[str, str]) -> None:
    hostile = Index.of([msgspec.structs.replace(entries()[0], **change)])
    with pytest.raises(ReadError, match=r"text of another form - at `\$\[0\]\.(name|version)`"):
        Index.read(hostile.encode(), source="m")


@pytest.mark.parametrize("digest", ["sha256:00", "", "sha256:" + "G" * 64, "../../x"])
def test_malformed_checksum_is_rejected(digest: str) -> None:
    entry = msgspec.structs.replace(entries()[0], files=(BlobFacts(digest=digest, size=1),))
    with pytest.raises(ReadError):
        Index.read(Index.of([entry]).encode(), source="m")


@pytest.mark.parametrize("data", [b"", b"{}", b"<html>", b"[1]", b"\xff", b'{"schema":1}'])
def test_content_that_is_not_an_index_is_rejected_with_a_hint(data: bytes) -> None:
    with pytest.raises(ReadError, match="not the index of a mirror") as caught:
        Index.read(data, source="m")
    assert "remove the index and run `dshub mirror`" in caught.value.hint


def test_newer_schema_asks_for_a_newer_dshub() -> None:
    with pytest.raises(ReadError, match=r"schema 2") as caught:
        Index.read(DATA.replace(b'"schema":1', b'"schema":2', 1), source="m")
    assert caught.value.hint == "upgrade dshub"
