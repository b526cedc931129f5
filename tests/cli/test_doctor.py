"""Test `dshub doctor`: find problems of the machine."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from dshub import __version__
from dshub.mirrors.serve.server import serving
from tests.commandline import run_on_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, list[dict[str, str]]]:
    """Return findings by their subject."""
    by_subject: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        by_subject.setdefault(finding["thing"], []).append(finding)
    return by_subject


def test_healthy_machine_has_no_bad_finding(dshub: Run, registry: Path) -> None:
    assert registry.is_dir()  # the fixture also runs the upstream server
    done = dshub("doctor", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["healthy"] is True
    by_subject = findings(done)
    assert by_subject["locks"][0]["state"] == "ok"
    assert "127.0.0.1" in by_subject["network"][0]["fact"]
    assert {
        "cache",
        "space",
        "proxy",
        "certificates",
        "decoders",
        "frameworks",
    } <= by_subject.keys()
    assert "everything works" in dshub("doctor").stderr


def test_versions_are_shown(dshub: Run, registry: Path) -> None:
    by_subject = findings(dshub("doctor", "--json"))
    assert f"{__version__} in " in by_subject["dshub"][0]["fact"]
    assert platform.python_version() in by_subject["python"][0]["fact"]
    libraries = f"pyarrow {version('pyarrow')}, numpy {version('numpy')}"
    assert by_subject["libraries"][0]["fact"] == libraries


def test_framework_has_the_version_of_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package `tensorflow` can be installed by `tensorflow-cpu`."""
    doctor = import_module("dshub.cli.doctor")
    monkeypatch.setattr(doctor, "packages_distributions", lambda: {"framework": ["numpy"]})
    monkeypatch.setattr(doctor, "find_spec", lambda _: True)
    assert doctor._installed(["framework"]) == f"framework {version('numpy')}"
    monkeypatch.setattr(doctor, "packages_distributions", dict)
    assert doctor._installed(["framework"]) == "framework"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")
def test_long_facts_are_wrapped(registry: Path) -> None:
    done = run_on_terminal("doctor", DSHUB_MIRROR="/nowhere/" + "folder/" * 3, COLUMNS="80")
    lines = re.sub(r"\x1b\[[\d;]*m", "", done.stdout).splitlines()
    facts = [line[19:] for line in lines if len(line) > 80]
    assert [fact for fact in facts if len(fact.split()) > 1] == []  # a long path stays whole
    assert any("from upstream" in line for line in lines)


def test_problems_have_advice(dshub: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = dshub(
        "doctor",
        "--json",
        DSHUB_CACHE=str(tmp_path / "file"),
        DSHUB_MIRROR=f"http://me:secret@127.0.0.1:9 {tmp_path / 'nowhere'}",
        REQUESTS_CA_BUNDLE=str(tmp_path / "missing.pem"),
        http_proxy="http://me:secret@127.0.0.1:3128",
        https_proxy="http://me:secret@127.0.0.1:3128",
    )
    assert done.returncode == 1
    by_subject = findings(done)
    bad = [by_subject["cache"][0], by_subject["certificates"][0], *by_subject["mirror"]]
    assert [finding["state"] for finding in bad] == ["bad"] * 4
    assert all(finding["advice"] for finding in bad)
    assert "127.0.0.1:3128" in by_subject["proxy"][0]["fact"]
    assert "secret" not in done.stdout + done.stderr


def test_missing_network_is_bad_unless_a_mirror_is_configured(dshub: Run, tmp_path: Path) -> None:
    proxy = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = dshub("doctor", "--json", **proxy)
    assert done.returncode == 1
    (network,) = findings(done)["network"]
    assert network["state"] == "bad"
    assert "DSHUB_MIRROR" in network["advice"]
    (tmp_path / "mirror").mkdir()
    for settings in ({"DSHUB_MIRROR": str(tmp_path / "mirror")}, {"DSHUB_OFFLINE": "1"}):
        done = dshub("doctor", "--json", **proxy, **settings)
        assert done.returncode == 0
        assert findings(done)["network"][0]["state"] == "note"


def test_mirror_of_unknown_datasets_is_measured(dshub: Run, registry: Path, tmp_path: Path) -> None:
    assert registry.is_dir()
    dshub("mirror", str(tmp_path / "mirror"), "tiny")
    alone = {"DSHUB_REGISTRY": "", "DSHUB_OFFLINE": "1"}
    done = dshub("doctor", "--json", DSHUB_MIRROR=str(tmp_path / "mirror"), **alone)
    assert "B/s" in findings(done)["mirror"][0]["fact"]


def test_mirror_with_a_known_file_is_measured(dshub: Run, tmp_path: Path, registry: Path) -> None:
    from dshub import Registry
    from dshub.cache.paths import blob_path

    # with many manifests, only a few files are requested from mirrors
    manifest = next(iter(Registry([registry]).manifests()))
    folder = tmp_path / "mirror"
    for resource in manifest.resources.values():
        blob = folder / blob_path(resource.digest)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(b"any bytes will do")
    (tmp_path / "empty").mkdir()
    with serving(folder) as full, serving(tmp_path / "empty") as empty:
        done = dshub("doctor", "--json", DSHUB_MIRROR=f"{full} {empty}")
    assert done.returncode == 0
    first, second = findings(done)["mirror"]
    assert (first["state"], second["state"]) == ("ok", "note")
    assert "B/s" in first["fact"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX file owners")
def test_cache_folders_writable_by_others_are_reported(dshub: Run, cache: Path) -> None:
    """A private cache is not reported."""
    (cache / "blobs-v1").mkdir(parents=True)
    (cache / "tables-v1").mkdir()
    for folder in (cache, *cache.iterdir()):
        folder.chmod(0o755)
    assert "sharing" not in findings(dshub("doctor", "--json", DSHUB_OFFLINE="1"))
    (cache / "tables-v1").chmod(0o1777)
    [finding] = findings(dshub("doctor", "--json", DSHUB_OFFLINE="1"))["sharing"]
    assert (finding["state"], finding["fact"]) == ("note", "others can write to tables-v1")
    assert "chmod go-w" in finding["advice"]
    if os.geteuid() == 0:
        (cache / "tables-v1").chmod(0o755)
        os.chown(cache / "blobs-v1", 54322, 54322)
        [finding] = findings(dshub("doctor", "--json", DSHUB_OFFLINE="1"))["sharing"]
        assert finding["fact"] == "another user owns blobs-v1"
