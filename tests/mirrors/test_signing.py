import base64
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from dshub.errors import ChecksumError, DshubError, SettingsError
from dshub.mirrors.index import Index
from dshub.mirrors.signing import Signer, check_signature
from tests.mirrors.indexes import INDEX, entries, openssl, sign_days_ago

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_openssl_verifies_a_signature(keys: dict[str, Path], tmp_path: Path) -> None:
    data = Signer(keys["ours"]).sign(INDEX).encode()
    body = data[data.index(b'"datasets":') + len(b'"datasets":') : data.rindex(b"}")]
    document = json.loads(data)
    head = f"dshub index 2 {document['serial']} {document['date']}\n"
    (tmp_path / "message").write_bytes(head.encode() + body)
    [signature] = document["signatures"]
    (tmp_path / "signature").write_bytes(base64.b64decode(signature))
    arguments = ["-verify", "-pubin", "-inkey", str(keys["ours-public"]), "-rawin"]
    files = ["-in", str(tmp_path / "message"), "-sigfile", str(tmp_path / "signature")]
    openssl("pkeyutl", *arguments, *files)


def test_signature_must_be_by_one_of_the_keys(keys: dict[str, Path]) -> None:
    other = keys["theirs-public"]
    signed = Signer(keys["ours"]).sign(INDEX)
    check_signature(INDEX, [], source="m")
    check_signature(signed, [other, keys["ours-public"]], source="m")
    with pytest.raises(ChecksumError, match="got a signature by another key"):
        check_signature(signed, [other], source="m")
    with pytest.raises(ChecksumError, match="got no signature"):
        check_signature(INDEX, [keys["ours-public"]], source="m")
    changed = msgspec.structs.replace(Index.of(entries()[:2]), signatures=signed.signatures)
    with pytest.raises(ChecksumError):
        check_signature(changed, [keys["ours-public"]], source="m")


def test_file_that_is_not_a_key_is_named(keys: dict[str, Path], tmp_path: Path) -> None:
    for path, make in (
        (tmp_path / "none.pem", Signer),
        (keys["ours-public"], Signer),
        (keys["ours"], lambda key: check_signature(INDEX, [key], source="m")),
    ):
        with pytest.raises(SettingsError, match=path.name) as caught:
            make(path)
        assert isinstance(caught.value, DshubError)


def test_serial_and_date_are_signed(keys: dict[str, Path]) -> None:
    signed = Signer(keys["ours"]).sign(INDEX)
    for changed in ({"serial": signed.serial + 1}, {"date": datetime(2099, 1, 1, tzinfo=UTC)}):
        forged = Index.read(msgspec.structs.replace(signed, **changed).encode(), source="m")
        with pytest.raises(ChecksumError, match="another key"):
            check_signature(forged, [keys["ours-public"]], source="m")


def test_unchanged_index_is_signed_again_after_a_day(keys: dict[str, Path]) -> None:
    signer = Signer(keys["ours"])
    signed = signer.sign(INDEX)
    assert signer.sign(INDEX, before=signed) == signed
    old = sign_days_ago(INDEX, keys["ours"], 2)
    again = signer.sign(INDEX, before=old)
    assert again.serial == old.serial + 1
    assert again.date is not None
    assert old.date is not None
    assert again.date > old.date
    assert again.body == old.body


def test_index_signed_with_another_key_is_rejected(
    dshub: Run, lab: "Lab", keys: dict[str, Path], tmp_path: Path
) -> None:
    dshub("mirror", "signed", "lab", "--sign", str(keys["ours"]))
    dshub("mirror", "forged", "lab", "--sign", str(keys["theirs"]))
    dshub("mirror", "plain", "lab")
    ours = {"DSHUB_REGISTRY": "", "DSHUB_MIRROR_KEYS": str(keys["ours-public"])}
    good = dshub("fetch", "lab/mnist", DSHUB_MIRROR="signed", DSHUB_CACHE="c1", **ours)
    assert good.returncode == 0
    for bad in ("forged", "plain"):
        done = dshub("info", "lab/mnist", DSHUB_MIRROR=bad, DSHUB_CACHE="c2", **ours)
        assert done.returncode == 5
        assert "expected a signature by" in done.stderr
    assert dshub("mirror", "signed", "--verify", **ours).returncode == 0
    assert dshub("mirror", "forged", "--verify", **ours).returncode == 5


def test_signed_mirror_is_updated_only_with_its_key(
    dshub: Run, lab: "Lab", keys: dict[str, Path], tmp_path: Path
) -> None:
    dshub("mirror", "m", "lab/mnist", "--sign", str(keys["ours"]))
    before = (tmp_path / "m" / "index.json").read_bytes()
    without = dshub("mirror", "m", "lab/kmnist")
    other = dshub("mirror", "m", "lab/kmnist", "--sign", str(keys["theirs"]))
    assert (without.returncode, other.returncode) == (1, 1)
    assert "--sign" in without.stderr
    assert (tmp_path / "m" / "index.json").read_bytes() == before
    answer = dshub("mirror", "m", "lab/kmnist", "--sign", str(keys["ours"]), "--json")
    assert json.loads(answer.stdout)["listed"] == ["lab/kmnist@1.0.0", "lab/mnist@1.0.0"]
    again = dshub("mirror", "m", "lab/kmnist", "--sign", str(keys["ours"]), "--json")
    assert json.loads(again.stdout)["changed"] is False
