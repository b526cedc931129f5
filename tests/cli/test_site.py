"""Test `dshub site`: write pages to a folder."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.independent.pages import read

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_site_writes_pages_of_the_registry(dshub: Run, registry: Path, tmp_path: Path) -> None:
    target = tmp_path / "pages"
    done = dshub("site", str(target), "tiny", "--title", "Ours", "--json")
    answer = json.loads(done.stdout)
    assert answer["first"] == str(target / "index.html")
    assert answer["written"][-1] == "index.html"
    assert {"site/tiny/one/index.html", "site/tiny/two/index.html"} < {*answer["written"]}
    assert read(target / "index.html").texts("h1") == ["Ours"]
    second = json.loads(dshub("site", str(target), "tiny", "--title", "Ours", "--json").stdout)
    assert second["written"] == []
    assert second["kept"] == len(answer["written"])


def test_site_shows_real_rows_once_they_are_prepared(
    dshub: Run, registry: Path, tmp_path: Path
) -> None:
    target = tmp_path / "pages"
    dshub("site", str(target), "tiny")
    assert dshub("fetch", "tiny/one").returncode == 0
    done = dshub("site", str(target), "tiny", "--json")
    pages = [name for name in json.loads(done.stdout)["written"] if name.endswith(".html")]
    assert pages == ["site/tiny/one/index.html", "index.html"]
    main = read(target / "site" / "tiny" / "one" / "index.html").texts("main")[0]
    assert "synthetic" not in main


def test_site_does_not_replace_foreign_pages(dshub: Run, registry: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    done = dshub("site", str(tmp_path), "tiny")
    assert done.returncode == 8
    assert "hint: choose an empty folder" in done.stderr
    assert (tmp_path / "index.html").read_text() == "mine"
