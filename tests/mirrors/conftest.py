"""Three datasets of the registry, made small: their upstream, their manifests, and the command."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import tomlkit

from dshub import Registry
from dshub.cache.store import Store
from dshub.catalog.sources import built_in_root
from dshub.mirrors.serve.server import serving
from dshub.synthetic.stand_in import stand_in
from tests.commandline import run_dshub

NAMES = {"mnist": "lab/mnist", "kmnist": "lab/kmnist", "emnist/letters": "lab/letters"}
ROWS = 40

Run = Callable[..., subprocess.CompletedProcess[str]]


class Lab:
    """Three datasets with the columns and formats of ones that we have, and files of their own.

    Attributes:
        upstream: the folder of their files.
        registry: the folder of their manifests.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.upstream, self.registry = root, root / "upstream", root / "registry"
        store = Store(root / "made")
        for source, name in NAMES.items():
            self._publish(source, name, store)

    def _publish(self, source: str, name: str, store: Store) -> None:
        made = stand_in(Registry().manifest(source), store, rows=ROWS)
        text = (built_in_root() / source / "1.0.0.toml").read_text(encoding="utf-8")
        document = tomlkit.parse(text)
        document["name"] = name
        for key, resource in made.resources.items():
            relative = f"{name}/{resource.filename}"
            target = self.upstream / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            found = store.blob(resource.digest)
            assert found is not None
            shutil.copyfile(found, target)
            facts = {"urls": [f"UPSTREAM/{relative}"], "sha256": resource.sha256}
            document["resources"][key] = facts | {"size": resource.size}
        for split in made.splits:
            table = document["splits"][split]
            table["rows"] = made.splits[split].rows
            table.pop("figures", None)
        path = self.registry / name / "1.0.0.toml"
        path.parent.mkdir(parents=True)
        path.write_text(tomlkit.dumps(document), encoding="utf-8")

    def at(self, url: str) -> None:
        """Have the manifests name that upstream."""
        for path in self.registry.rglob("*.toml"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("UPSTREAM", url), encoding="utf-8")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three datasets, made once."""
    root = tmp_path_factory.mktemp("lab")
    Lab(root)
    return root


@pytest.fixture
def lab(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The three datasets, in a registry that the environment names; upstream answers."""
    found = Lab.__new__(Lab)
    found.root = tmp_path / "lab"
    found.upstream, found.registry = found.root / "upstream", found.root / "registry"
    shutil.copytree(made / "upstream", found.upstream)
    shutil.copytree(made / "registry", found.registry)
    monkeypatch.setenv("DSHUB_REGISTRY", str(found.registry))
    with serving(found.upstream) as url:
        found.at(url)
        yield found


@pytest.fixture
def dshub(tmp_path: Path) -> Run:
    """Runs the command in a process of its own; no traceback is ever fine."""
    return partial(run_dshub, tmp_path)
