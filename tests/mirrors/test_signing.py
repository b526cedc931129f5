"""A signed mirror, from the one who signs to the one who asks for it."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Two pairs of keys, made by openssl."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    found: dict[str, Path] = {}
    for name in ("ours", "theirs"):
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        for arguments in (
            ["genpkey", "-algorithm", "ed25519", "-out", str(private)],
            ["pkey", "-in", str(private), "-pubout", "-out", str(public)],
        ):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)
        found |= {name: private, f"{name}-public": public}
    return found


def test_a_client_believes_only_whom_it_names(
    dshub: Run, lab: "Lab", keys: dict[str, Path], tmp_path: Path
) -> None:
    """By our key it works; by another, or unsigned, its datasets are refused with exit code 5."""
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


def test_an_update_keeps_it_signed(
    dshub: Run, lab: "Lab", keys: dict[str, Path], tmp_path: Path
) -> None:
    """Without the key, or over what another key signed, nothing is written."""
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
