"""Fixtures for three small datasets, their upstream server, signing keys and the command."""

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
    """Three small datasets with the columns and formats of built-in datasets.

    Attributes:
        upstream: folder of the published files.
        registry: folder of the manifests.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.upstream, self.registry = root, root / "upstream", root / "registry"
        store = Store(root / "synthetic")
        for source, name in NAMES.items():
            self._publish(source, name, store)

    def _publish(self, source: str, name: str, store: Store) -> None:
        synthetic = synthesize(Registry().manifest(source), store, rows=ROWS)
        text = (built_in_root() / source / "1.0.0.toml").read_text(encoding="utf-8")
        document = tomlkit.parse(text)
        document["name"] = name
        for key, resource in synthetic.resources.items():
            relative = f"{name}/{resource.filename}"
            target = self.upstream / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            blob = store.blob(resource.digest)
            assert blob is not None
            shutil.copyfile(blob, target)
            facts = {"urls": [f"UPSTREAM/{relative}"], "sha256": resource.sha256}
            document["resources"][key] = facts | {"size": resource.size}
        for split in synthetic.splits:
            table = document["splits"][split]
            table["rows"] = synthetic.splits[split].rows
            table.pop("figures", None)
        path = self.registry / name / "1.0.0.toml"
        path.parent.mkdir(parents=True)
        path.write_text(tomlkit.dumps(document), encoding="utf-8")

    def set_upstream_url(self, url: str) -> None:
        """Set the URL of the upstream server in the manifests."""
        for path in self.registry.rglob("*.toml"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("UPSTREAM", url), encoding="utf-8")


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the three datasets once per session, and return their folder."""
    root = tmp_path_factory.mktemp("lab")
    Lab(root)
    return root


@pytest.fixture
def lab(lab_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Copy the datasets, serve the upstream folder, and set DSHUB_REGISTRY."""
    lab = Lab.__new__(Lab)
    lab.root = tmp_path / "lab"
    lab.upstream, lab.registry = lab.root / "upstream", lab.root / "registry"
    shutil.copytree(lab_folder / "upstream", lab.upstream)
    shutil.copytree(lab_folder / "registry", lab.registry)
    monkeypatch.setenv("DSHUB_REGISTRY", str(lab.registry))
    with serving(lab.upstream) as url:
        lab.set_upstream_url(url)
        yield lab


@pytest.fixture
def dshub(tmp_path: Path) -> Run:
    """Return a function that runs `dshub` in a subprocess and fails on a traceback."""
    return partial(run_dshub, tmp_path)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Create two key pairs with openssl: `ours`, `ours-public`, `theirs`, `theirs-public`."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    keys: dict[str, Path] = {}
    for name in ("ours", "theirs"):
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        openssl("genpkey", "-algorithm", "ed25519", "-out", str(private))
        openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
        keys |= {name: private, f"{name}-public": public}
    return keys
