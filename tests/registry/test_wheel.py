import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dshub.catalog.sources import built_in_root

ROOT = Path(__file__).parent.parent.parent


def test_wheel_contains_the_registry_and_no_tests(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("dshub-*.whl"))).namelist())
    root = built_in_root()
    manifests = {f"dshub/_registry/{path.relative_to(root)}" for path in root.rglob("*.toml")}
    assert manifests
    assert manifests <= names
    assert {"dshub/_registry/index.json", "dshub/_registry/texts.json"} <= names
    assert "dshub/py.typed" in names
    pages = ROOT / "dshub" / "publishing" / "site"
    site_files = [path for kind in ("templates", "assets") for path in (pages / kind).iterdir()]
    assert {path.relative_to(ROOT).as_posix() for path in site_files} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"dshub"}
