"""Test `dshub verify`: check cached files and tables, and published figures."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_verify_reports_nothing_cached(dshub: Run, registry: Path) -> None:
    done = dshub("verify", "tiny/one")
    assert done.returncode == 1
    assert "`dshub fetch tiny/one`" in done.stderr


def test_verify_reports_damage_that_fetch_replaces(dshub: Run, registry: Path, cache: Path) -> None:
    """The damaged file is moved aside, so a fetch replaces it."""
    dshub("fetch", "tiny/one")
    intact = dshub("verify", "tiny/one")
    assert (intact.returncode, intact.stderr) == (0, "")
    states = {line.split()[0] for line in intact.stdout.splitlines()}
    assert states == {"ok"}
    blob = max((cache / "blobs-v1").glob("*/*"), key=lambda path: path.stat().st_size)
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    damaged = dshub("verify", "tiny/one", "--json")
    findings = json.loads(damaged.stdout)["findings"]
    assert damaged.returncode == 5
    assert [item["thing"] for item in findings if item["state"] == "damaged"] == ["file images"]
    assert dshub("fetch", "tiny/one").returncode == 0
    assert dshub("verify", "tiny/one").returncode == 0
