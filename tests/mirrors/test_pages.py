import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab, Run


@pytest.mark.usefixtures("lab")
def test_pages_show_the_listed_datasets(dshub: "Run", tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    done = dshub("mirror", "m", "lab/mnist", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pages"] == str(Path("m") / "index.html")
    first = (tmp_path / "m" / "index.html").read_text("utf-8")
    assert "lab/mnist" in first
    assert "lab/kmnist" not in first
    assert dshub("mirror", "m", "lab/kmnist", "--prune", "--yes").returncode == 0
    first = (tmp_path / "m" / "index.html").read_text("utf-8")
    assert "lab/kmnist" in first
    assert "lab/mnist" not in first
    assert dshub("mirror", "m", "--verify").returncode == 0


@pytest.mark.usefixtures("lab")
def test_pages_can_be_left_out(dshub: "Run", tmp_path: Path) -> None:
    done = dshub("mirror", "m", "lab/mnist", "--no-pages", "--json")
    assert json.loads(done.stdout)["pages"] is None
    assert not (tmp_path / "m" / "index.html").exists()


def test_datasets_of_other_registries_keep_their_pages(
    dshub: "Run", lab: "Lab", tmp_path: Path
) -> None:
    """The mirror lists a dataset that the current registry does not contain."""
    pytest.importorskip("jinja2")
    assert dshub("mirror", "m", "lab/letters").returncode == 0
    (lab.registry / "lab" / "letters" / "1.0.0.toml").unlink()
    assert dshub("mirror", "m", "lab/mnist").returncode == 0
    first = (tmp_path / "m" / "index.html").read_text("utf-8")
    assert "lab/mnist" in first
    assert "lab/letters" in first
    assert (tmp_path / "m" / "site" / "lab" / "letters" / "index.html").is_file()
