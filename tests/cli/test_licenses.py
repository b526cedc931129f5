"""Test `dshub licenses`: show licenses and fail on denied ones."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def set_license(registry: Path, member: str, spdx: str) -> None:
    path = registry / "tiny" / member / "1.0.0.toml"
    path.write_text(f'{path.read_text()}\n[license]\nspdx = "{spdx}"\nredistribution = "yes"\n')


def test_licenses_are_listed(dshub: Run, registry: Path) -> None:
    set_license(registry, "one", "CC-BY-NC-4.0")
    lines = dshub("licenses", "tiny").stdout.splitlines()[1:]
    assert [line.split()[:3] for line in lines] == [
        ["tiny/one", "CC-BY-NC-4.0", "yes"],
        ["tiny/two", "not", "stated"],
    ]
    answer = json.loads(dshub("licenses", "tiny", "--json").stdout)
    assert [item["spdx"] for item in answer["licenses"]] == ["CC-BY-NC-4.0", None]
    assert answer["denied"] == []


@pytest.mark.parametrize(
    ("spdx", "deny", "refused"),
    [
        ("CC-BY-NC-4.0", "nc", True),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", True),
        ("CC-BY-4.0", "nc", False),
        ("LicenseRef-non-commercial", "NC", True),
        ("MIT AND GPL-3.0-only", "gpl", True),
        ("MIT", "unknown", False),
    ],
)
def test_denied_license_fails(
    dshub: Run, registry: Path, spdx: str, deny: str, refused: bool
) -> None:
    set_license(registry, "one", spdx)
    done = dshub("licenses", "tiny/one", "--deny", deny)
    assert done.returncode == (1 if refused else 0)
    assert (f"and {deny} is denied" in done.stdout) == refused


def test_unstated_license_passes_unless_unknown_is_denied(dshub: Run, registry: Path) -> None:
    passed = dshub("licenses", "tiny", "--deny", "nc")
    assert passed.returncode == 0
    assert "2 datasets without a stated license" in passed.stderr
    answer = json.loads(dshub("licenses", "tiny", "--deny", "unknown", "--json").stdout)
    assert answer["denied"] == ["tiny/one", "tiny/two"]


def test_without_names_the_licenses_of_the_project_are_shown(
    dshub: Run, registry: Path, tmp_path: Path
) -> None:
    def named() -> list[str]:
        answer = json.loads(dshub("licenses", "--json").stdout)
        return [item["name"] for item in answer["licenses"]]

    assert named() == []
    dshub("fetch", "tiny/two")
    assert named() == ["tiny/two"]
    dshub("lock", "tiny/one")
    assert named() == ["tiny/one"]
    (tmp_path / "work" / "pyproject.toml").write_text('[tool.dshub]\ndatasets = "mnist, tiny"\n')
    assert named() == ["mnist", "tiny/one", "tiny/two"]
