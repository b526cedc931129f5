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
from tests.mirrors.indexes import INDEX, entries, sign_days_ago


def signed_mirror(folder: Path, key: Path, *names: str, before: Index | None = None) -> Index:
    """Write a signed index into a folder and return it."""
    listed = [entry for entry in entries() if entry.name in names]
    index = Signer(key).sign(Index.of(listed), before=before)
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_bytes(index.encode())
    return index


def list_mirror(
    cache: Path, address: str, public: Path | None, **settings: Any
) -> tuple[list[str], list[DshubError]]:
    """List a mirror as a new process would; return dataset names and errors."""
    keys = [public] if public else []
    values = Settings.read(
        environment={}, cache=cache, mirrors=[address], mirror_keys=keys, **settings
    )
    mirrors = Mirrors(values, Store(cache))
    return [item.entry.name for item in mirrors.listed()], list(mirrors.errors.values())


@pytest.mark.parametrize("form", ["folder", "http"])
def test_replayed_index_is_rejected(keys: dict[str, Path], tmp_path: Path, form: str) -> None:
    """The error names both serials, and a cached index is used instead."""
    folder, cache = tmp_path / "m", tmp_path / "cache"
    first = signed_mirror(folder, keys["ours"], "mnist")
    old = (folder / "index.json").read_bytes()
    second = signed_mirror(folder, keys["ours"], "mnist", "kmnist", before=first)
    assert second.serial == first.serial + 1
    with serving(folder) if form == "http" else nullcontext(str(folder)) as address:
        assert list_mirror(cache, address, keys["ours-public"]) == (["kmnist", "mnist"], [])
        (folder / "index.json").write_bytes(old)
        names, [error] = list_mirror(cache, address, keys["ours-public"])
        assert names == (["kmnist", "mnist"] if form == "http" else [])
        assert f"got serial {first.serial}" in str(error)
        assert f"expected serial {second.serial}" in str(error)
        # Without a key, serials are not checked.
        assert list_mirror(cache, address, None)[0] == ["mnist"]
        [path] = (cache / "mirrors-v1").glob("*.json")
        assert str(path) in error.hint
        path.unlink()
        assert list_mirror(cache, address, keys["ours-public"]) == (["mnist"], [])


def test_index_without_a_serial_is_older_than_one_with_a_serial(
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
    assert len(list_mirror(cache, str(tmp_path / "other"), keys["ours-public"])[0]) == 3
    list_mirror(cache, str(folder), keys["ours-public"])
    (folder / "index.json").write_bytes(plain)
    assert "got no serial" in str(list_mirror(cache, str(folder), keys["ours-public"])[1][0])


def test_old_signature_is_rejected(keys: dict[str, Path], tmp_path: Path) -> None:
    folder, cache = tmp_path / "m", tmp_path / "cache"
    signed_mirror(folder, keys["ours"], "mnist")
    (folder / "index.json").write_bytes(sign_days_ago(INDEX, keys["ours"], 400).encode())
    assert len(list_mirror(cache, str(folder), keys["ours-public"])[0]) == 3
    with serving(folder) as address:
        names, [error] = list_mirror(cache, address, keys["ours-public"])
        assert names == []
        assert "signed in the last 365 days (DSHUB_MIRROR_MAX_AGE)" in str(error)
        assert len(list_mirror(cache, address, keys["ours-public"], mirror_max_age="off")[0]) == 3
        names, [error] = list_mirror(cache, address, keys["ours-public"], mirror_max_age=30)
        assert len(names) == 3  # the index was accepted before, so it is used with a warning
        assert "signed in the last 30 days" in str(error)
        assert len(list_mirror(cache, address, None)[0]) == 3
