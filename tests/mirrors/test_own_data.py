import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from dshub import Hub, Settings
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_imported_files_are_published_from_the_cache(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    """The maintainer passes the path of the manifest; clients load the dataset by name."""
    source = lab.registry / "lab" / "mnist" / "1.0.0.toml"
    document = tomlkit.parse(source.read_text())
    document["name"] = "penguins"
    for resource in document["resources"].values():
        resource["filename"] = resource.pop("urls")[0].rpartition("/")[2]
    path = tmp_path / "1.0.0.toml"
    path.write_text(tomlkit.dumps(document))
    alone = {"DSHUB_REGISTRY": ""}
    files = tmp_path / "files"
    shutil.copytree(lab.upstream / "lab" / "mnist", files)
    early = dshub("mirror", "m", "./1.0.0.toml", **alone)
    assert early.returncode == 4
    assert "the manifest has no source for this file" in early.stderr
    assert dshub("import", "./1.0.0.toml", str(files), **alone).returncode == 0
    done = dshub("mirror", "m", "./1.0.0.toml", "--json", **alone)
    assert json.loads(done.stdout)["listed"] == ["penguins@1.0.0"]
    shutil.rmtree(lab.upstream)
    ways: list[dict[str, Any]] = [{}, {"registry": [tmp_path / "m" / "registry"]}]
    for settings in ways:
        values = Settings.read(
            environment={},
            cache=tmp_path / f"theirs{len(settings)}",
            mirrors=[str(tmp_path / "m")],
            **settings,
        )
        hub = Hub(settings=values, progress=Silent())
        assert "penguins" in hub.names()
        assert len(hub.load("penguins", "train")) == 40
