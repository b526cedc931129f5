"""Reading the index of a mirror: replayed and outdated ones."""

import base64
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dshub import Settings
from dshub.cache.store import Store
from dshub.errors import DshubError
from dshub.mirrors.index import Index
from dshub.mirrors.reading import Mirrors
from dshub.mirrors.serve.server import serving
from dshub.mirrors.signing import Signer
from tests.mirrors.indexes import INDEX, aged, entries


def signed_mirror(folder: Path, key: Path, *names: str, before: Index | None = None) -> Index:
    """Write a signed index into a folder, and return it."""
    listed = [entry for entry in entries() if entry.name in names]
    index = Signer(key).sign(Index.of(listed), before=before)
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_bytes(index.encode())
    return index


def asked(
    cache: Path, address: str, public: Path | None, **settings: Any
) -> tuple[list[str], list[DshubError]]:
    """List a mirror as a new process; returns the names and the errors."""
    keys = [public] if public else []
    chosen = Settings.read(
        environment={}, cache=cache, mirrors=[address], mirror_keys=keys, **settings
    )
    mirrors = Mirrors(chosen, Store(cache))
    return [item.entry.name for item in mirrors.listed()], list(mirrors.errors.values())


@pytest.mark.parametrize("form", ["folder", "http"])
def test_replayed_index_is_refused(keys: dict[str, Path], tmp_path: Path, form: str) -> None:
    """The error names both serials; the kept index is used if there is one."""
    folder, cache = tmp_path / "m", tmp_path / "cache"
    first = signed_mirror(folder, keys["ours"], "mnist")
    old = (folder / "index.json").read_bytes()
    second = signed_mirror(folder, keys["ours"], "mnist", "kmnist", before=first)
    assert second.serial == first.serial + 1
    with serving(folder) if form == "http" else nullcontext(str(folder)) as address:
        assert asked(cache, address, keys["ours-public"]) == (["kmnist", "mnist"], [])
        (folder / "index.json").write_bytes(old)
        names, [error] = asked(cache, address, keys["ours-public"])
        assert names == (["kmnist", "mnist"] if form == "http" else [])
        assert f"got serial {first.serial}" in str(error)
        assert f"expected serial {second.serial}" in str(error)
        assert asked(cache, address, None)[0] == ["mnist"]  # with no key, nothing is asked
        [path] = (cache / "mirrors-v1").glob("*.json")
        assert str(path) in error.hint
        path.unlink()
        assert asked(cache, address, keys["ours-public"]) == (["mnist"], [])


def test_index_without_serial_is_older_than_any_with_one(
    keys: dict[str, Path], tmp_path: Path
) -> None:
    folder, cache = tmp_path / "m", tmp_path / "cache"
    signed_mirror(folder, keys["ours"], "mnist")
    key = load_pem_private_key(keys["ours"].read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    signature = base64.b64encode(key.sign(b"dshub index 1\n" + INDEX.body)).decode()
    plain = msgspec.structs.replace(INDEX, signatures=(signature,)).encode()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.json").write_bytes(plain)
    assert len(asked(cache, str(tmp_path / "other"), keys["ours-public"])[0]) == 3
    asked(cache, str(folder), keys["ours-public"])
    (folder / "index.json").write_bytes(plain)
    assert "got no serial" in str(asked(cache, str(folder), keys["ours-public"])[1][0])


def test_old_signature_is_refused(keys: dict[str, Path], tmp_path: Path) -> None:
    folder, cache = tmp_path / "m", tmp_path / "cache"
    signed_mirror(folder, keys["ours"], "mnist")
    (folder / "index.json").write_bytes(aged(INDEX, keys["ours"], 400).encode())
    assert len(asked(cache, str(folder), keys["ours-public"])[0]) == 3
    with serving(folder) as address:
        names, [error] = asked(cache, address, keys["ours-public"])
        assert names == []
        assert "signed in the last 365 days (DSHUB_MIRROR_MAX_AGE)" in str(error)
        assert len(asked(cache, address, keys["ours-public"], mirror_max_age="off")[0]) == 3
        names, [error] = asked(cache, address, keys["ours-public"], mirror_max_age=30)
        assert len(names) == 3  # it was taken before: it serves, with a warning
        assert "signed in the last 30 days" in str(error)
        assert len(asked(cache, address, None)[0]) == 3
