"""Three small datasets with their manifests and upstream, signing keys, and the command."""

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
from dshub.synthetic.synthesize import synthesize
from tests.commandline import run_dshub
from tests.mirrors.indexes import openssl

NAMES = {"mnist": "lab/mnist", "kmnist": "lab/kmnist", "emnist/letters": "lab/letters"}
ROWS = 40

Run = Callable[..., subprocess.CompletedProcess[str]]


class Lab:
    """Three datasets with the columns and formats of built-in ones, and small files.

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
        made = synthesize(Registry().manifest(source), store, rows=ROWS)
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
        """Set the address of upstream in the manifests."""
        for path in self.registry.rglob("*.toml"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("UPSTREAM", url), encoding="utf-8")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three datasets."""
    root = tmp_path_factory.mktemp("lab")
    Lab(root)
    return root


@pytest.fixture
def lab(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The three datasets, with their registry in the environment and upstream running."""
    lab = Lab.__new__(Lab)
    lab.root = tmp_path / "lab"
    lab.upstream, lab.registry = lab.root / "upstream", lab.root / "registry"
    shutil.copytree(made / "upstream", lab.upstream)
    shutil.copytree(made / "registry", lab.registry)
    monkeypatch.setenv("DSHUB_REGISTRY", str(lab.registry))
    with serving(lab.upstream) as url:
        lab.at(url)
        yield lab


@pytest.fixture
def dshub(tmp_path: Path) -> Run:
    """Run the command in a process; a traceback fails the test."""
    return partial(run_dshub, tmp_path)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Two pairs of keys, made by openssl: `ours`, `ours-public`, `theirs`, `theirs-public`."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    keys: dict[str, Path] = {}
    for name in ("ours", "theirs"):
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        openssl("genpkey", "-algorithm", "ed25519", "-out", str(private))
        openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
        keys |= {name: private, f"{name}-public": public}
    return keys
