"""`index.json` as bytes: nothing of it is believed that was not written, or not signed."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from dshub import Registry, Settings
from dshub.cache.store import Store
from dshub.errors import ChecksumError, DshubError, ReadError, SettingsError
from dshub.mirrors.index import BlobFacts, Entry, Index, entry_of
from dshub.mirrors.mirrors import Mirrors
from dshub.mirrors.serve.server import serving
from dshub.mirrors.signing import Signer, check_signature

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


def signed_mirror(folder: Path, key: Path, *names: str, before: Index | None = None) -> Index:
    """Write a signed index into a folder; returns it."""
    listed = [entry for entry in entries() if entry.name in names]
    index = Signer(key).sign(Index.of(listed), before=before)
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_bytes(index.encode())
    return index


def asked(
    cache: Path, address: str, public: Path | None, **settings: Any
) -> tuple[list[str], list[DshubError]]:
    """What a new process lists of a mirror, and its troubles."""
    keys = [public] if public else []
    chosen = Settings.read(
        environment={}, cache=cache, mirrors=[address], mirror_keys=keys, **settings
    )
    mirrors = Mirrors(chosen, Store(cache))
    return [item.entry.name for item in mirrors.listed()], list(mirrors.troubles.values())


def aged(index: Index, key: Path, days: int) -> Index:
    """The same index as it would have been signed some days ago."""
    with freeze(datetime.now(UTC) - timedelta(days=days)):
        return Signer(key).sign(index)


@contextmanager
def freeze(moment: datetime) -> Iterator[None]:
    """The clock of whoever signs stands at a moment."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            del tz
            return cls.fromtimestamp(moment.timestamp(), UTC)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dshub.mirrors.signing.datetime", Clock)
        yield


@pytest.mark.parametrize("form", ["folder", "http"])
def test_an_older_signed_index_is_not_taken_for_the_newest(
    keys: tuple[Path, Path], tmp_path: Path, form: str
) -> None:
    """The error names both serials; the newer list that was kept serves where there is one."""
    folder, cache = tmp_path / "m", tmp_path / "cache"
    first = signed_mirror(folder, keys[0], "mnist")
    old = (folder / "index.json").read_bytes()
    second = signed_mirror(folder, keys[0], "mnist", "kmnist", before=first)
    assert second.serial == first.serial + 1
    with serving(folder) if form == "http" else nullcontext(str(folder)) as address:
        assert asked(cache, address, keys[1]) == (["kmnist", "mnist"], [])
        (folder / "index.json").write_bytes(old)
        names, [error] = asked(cache, address, keys[1])
        assert names == (["kmnist", "mnist"] if form == "http" else [])
        assert f"got serial {first.serial}" in str(error)
        assert f"expected serial {second.serial}" in str(error)
        assert asked(cache, address, None)[0] == ["mnist"]  # with no key, nothing is asked
        [path] = (cache / "mirrors-v1").glob("*.json")
        assert str(path) in error.hint
        path.unlink()
        assert asked(cache, address, keys[1]) == (["mnist"], [])


def test_an_index_without_serial_is_older_than_any_with_one(
    keys: tuple[Path, Path], tmp_path: Path
) -> None:
    """An older dshub signed those; they count until a newer one was seen."""
    folder, cache = tmp_path / "m", tmp_path / "cache"
    signed_mirror(folder, keys[0], "mnist")
    key = load_pem_private_key(keys[0].read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    signature = base64.b64encode(key.sign(b"dshub index 1\n" + INDEX.body)).decode()
    plain = msgspec.structs.replace(INDEX, signatures=(signature,)).encode()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.json").write_bytes(plain)
    assert len(asked(cache, str(tmp_path / "other"), keys[1])[0]) == 3
    asked(cache, str(folder), keys[1])
    (folder / "index.json").write_bytes(plain)
    assert "got no serial" in str(asked(cache, str(folder), keys[1])[1][0])


def test_serial_and_date_cannot_be_changed(keys: tuple[Path, Path]) -> None:
    """They are signed like the rest."""
    signed = Signer(keys[0]).sign(INDEX)
    for changed in ({"serial": signed.serial + 1}, {"date": datetime(2099, 1, 1, tzinfo=UTC)}):
        forged = Index.read(msgspec.structs.replace(signed, **changed).encode(), source="m")
        with pytest.raises(ChecksumError, match="another key"):
            check_signature(forged, [keys[1]], source="m")


def test_a_list_that_nobody_signs_anew_is_out_of_date(
    keys: tuple[Path, Path], tmp_path: Path
) -> None:
    """After a year, or as the setting says; never one in a folder, which nobody can hold back."""
    folder, cache = tmp_path / "m", tmp_path / "cache"
    signed_mirror(folder, keys[0], "mnist")
    (folder / "index.json").write_bytes(aged(INDEX, keys[0], 400).encode())
    assert len(asked(cache, str(folder), keys[1])[0]) == 3
    with serving(folder) as address:
        names, [error] = asked(cache, address, keys[1])
        assert names == []
        assert "signed in the last 365 days (DSHUB_MIRROR_MAX_AGE)" in str(error)
        assert len(asked(cache, address, keys[1], mirror_max_age="off")[0]) == 3
        names, [error] = asked(cache, address, keys[1], mirror_max_age=30)
        assert len(names) == 3  # it was taken before: it serves, with a warning
        assert "signed in the last 30 days" in str(error)
        assert len(asked(cache, address, None)[0]) == 3


def test_an_index_is_signed_anew_once_it_is_a_day_old(keys: tuple[Path, Path]) -> None:
    """With a new date and serial; before that nothing is written in vain."""
    signer = Signer(keys[0])
    signed = signer.sign(INDEX)
    assert signer.sign(INDEX, before=signed) == signed
    old = aged(INDEX, keys[0], 2)
    again = signer.sign(INDEX, before=old)
    assert again.serial == old.serial + 1
    assert again.date is not None
    assert old.date is not None
    assert again.date > old.date
    assert again.body == old.body
