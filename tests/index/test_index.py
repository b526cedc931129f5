"""`index.json` as bytes: nothing of it is believed that was not written, or not signed."""

import base64
import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import Registry
from dshub.errors import ChecksumError, DshubError, ReadError, SettingsError
from dshub.index import BlobFacts, Entry, Index, Signer, check_signature, entry_of

NAMES = ["mnist", "kmnist", "emnist/letters"]


def entries() -> list[Entry]:
    """Entries of datasets that we have."""
    registry = Registry()
    return [entry_of(registry.manifest(name), registry.text(name), {}) for name in NAMES]


INDEX = Index.of(entries())
DATA = INDEX.encode()


def test_what_is_written_is_read() -> None:
    """All fields, in the order of names; and it is JSON that any program reads."""
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


def test_the_same_datasets_give_the_same_bytes() -> None:
    """In whatever order they were added, so that nothing is written in vain."""
    assert Index.of(reversed(entries())).encode() == DATA


@given(place=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_changes_nothing_in_silence(place: int, bit: int) -> None:
    """Wherever it is, it is an error, or what is listed is the same."""
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
def test_no_name_leads_out_of_the_mirror(change: dict[str, str]) -> None:
    """An index made by somebody hostile is refused as a whole."""
    hostile = Index.of([msgspec.structs.replace(entries()[0], **change)])
    with pytest.raises(ReadError, match=r"text of another form - at `\$\[0\]\.(name|version)`"):
        Index.read(hostile.encode(), source="m")


@pytest.mark.parametrize("digest", ["sha256:00", "", "sha256:" + "G" * 64, "../../x"])
def test_a_checksum_must_be_one(digest: str) -> None:
    """It becomes the name of a file."""
    entry = msgspec.structs.replace(entries()[0], files=(BlobFacts(digest=digest, size=1),))
    with pytest.raises(ReadError):
        Index.read(Index.of([entry]).encode(), source="m")


@pytest.mark.parametrize("data", [b"", b"{}", b"<html>", b"[1]", b"\xff", b'{"schema":1}'])
def test_what_is_no_index_is_said_to_be_none(data: bytes) -> None:
    """Such as the page of some network in between."""
    with pytest.raises(ReadError, match="no index of a mirror") as caught:
        Index.read(data, source="m")
    assert "remove it and run `dshub mirror`" in caught.value.hint


def test_a_later_schema_asks_for_a_newer_dshub() -> None:
    """Rather than to be misread."""
    with pytest.raises(ReadError, match=r"schema 2") as caught:
        Index.read(DATA.replace(b'"schema":1', b'"schema":2', 1), source="m")
    assert caught.value.hint == "use a newer dshub"


def openssl(*arguments: str) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private key and its public half, made by openssl."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(private))
    openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
    return private, public


def test_a_signature_is_what_openssl_takes_for_one(keys: tuple[Path, Path], tmp_path: Path) -> None:
    """Another program that knows the documented form comes to the same verdict."""
    data = Signer(keys[0]).sign(INDEX).encode()
    body = data[data.index(b'"datasets":') + len(b'"datasets":') : data.rindex(b"}")]
    found = json.loads(data)
    head = f"dshub index 2 {found['serial']} {found['date']}\n"
    (tmp_path / "message").write_bytes(head.encode() + body)
    [signature] = found["signatures"]
    (tmp_path / "signature").write_bytes(base64.b64decode(signature))
    arguments = ["-verify", "-pubin", "-inkey", str(keys[1]), "-rawin"]
    files = ["-in", str(tmp_path / "message"), "-sigfile", str(tmp_path / "signature")]
    openssl("pkeyutl", *arguments, *files)


def test_only_the_named_keys_count(keys: tuple[Path, Path], tmp_path: Path) -> None:
    """Its own is enough, among others too; another's, none, or changed content is an error."""
    other = tmp_path / "other.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(other))
    openssl("pkey", "-in", str(other), "-pubout", "-out", str(tmp_path / "other-public.pem"))
    signed = Signer(keys[0]).sign(INDEX)
    check_signature(INDEX, [], source="m")
    check_signature(signed, [tmp_path / "other-public.pem", keys[1]], source="m")
    with pytest.raises(ChecksumError, match="got a signature by another key"):
        check_signature(signed, [tmp_path / "other-public.pem"], source="m")
    with pytest.raises(ChecksumError, match="got no signature"):
        check_signature(INDEX, [keys[1]], source="m")
    changed = msgspec.structs.replace(Index.of(entries()[:2]), signatures=signed.signatures)
    with pytest.raises(ChecksumError):
        check_signature(changed, [keys[1]], source="m")


def test_what_is_no_key_is_said_to_be_none(keys: tuple[Path, Path], tmp_path: Path) -> None:
    """With the name of the file, and how a key is made."""
    for path, make in (
        (tmp_path / "none.pem", Signer),
        (keys[1], Signer),
        (keys[0], lambda key: check_signature(INDEX, [key], source="m")),
    ):
        with pytest.raises(SettingsError, match=path.name) as caught:
            make(path)
        assert isinstance(caught.value, DshubError)
