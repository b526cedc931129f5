"""Layouts whose files have checksums: CIFAR in Python's form, in place of the binary one."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Hub, Settings
from dshub.cache.store import Store
from dshub.catalog.manifest import laid_out
from dshub.catalog.sources import built_in_root
from dshub.progress import Silent
from dshub.synthetic.pieces import write as write_files
from tests.independent.imagenet import tar, with_facts, write


@pytest.mark.parametrize(
    ("name", "archive"),
    [("cifar-10", "cifar-10-python.tar.gz"), ("cifar-100", "cifar-100-python.tar.gz")],
)
def test_cifar_loads_from_the_archive_for_python(
    name: str, archive: str, tmp_path: Path, cache: Path
) -> None:
    """Its rows are those of the file, and the binary archive is not asked for."""
    text = (built_in_root() / name / "1.0.0.toml").read_text("utf-8")
    text = text.replace(f'name = "{name}"', f'name = "small-{name}"')
    text = re.sub(r"^rows = .*$", "rows = 30", text, flags=re.MULTILINE)
    text = re.sub(r"^figures = .*$", "", text, flags=re.MULTILINE)
    target = tmp_path / "registry" / f"small-{name}" / "1.0.0.toml"
    write(target, text.encode())
    made = _archive(target, tmp_path / archive)
    write(target, with_facts(text, made).encode())

    settings = Settings.read(cache=cache, registry=(tmp_path / "registry",), offline=True)
    hub = Hub(settings=settings, progress=Silent())
    (report,) = hub.import_files(f"small-{name}", [made])
    assert [item.layout for item in report.layouts] == ["train-python", "test-python"]
    assert report.complete
    for split in ("train", "test"):
        found: Any = hub.load(f"small-{name}", split).numpy()
        assert np.asarray(found["image"]).shape == (30, 32, 32, 3)
    hub.fetch(f"small-{name}")
    assert {item.state for item in hub.verify(f"small-{name}")} == {"ok"}


def _archive(manifest_file: Path, path: Path) -> Path:
    """An archive in the layout of Python's, made by the reader."""
    from dshub.catalog.parsing import read

    manifest = read(manifest_file)
    members: list[tuple[str, bytes]] = []
    for layout in manifest.layouts:
        folder = path.parent / f"pieces-{layout}"
        folder.mkdir()
        made = write_files(laid_out(manifest, layout), folder, rows=30, seed=0)["python"]
        import tarfile

        with tarfile.open(made) as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member)
                assert content is not None
                members.append((member.name, content.read()))
    path.write_bytes(tar(members, "w:gz"))
    return path


def test_a_set_that_is_complete_takes_no_second_form(tmp_path: Path, cache: Path) -> None:
    """An archive for Python beside the binary one is not kept too."""
    settings = Settings.read(cache=cache, synthetic=20)
    hub = Hub(settings=settings, progress=Silent())
    manifest = hub.info("cifar-10")
    assert manifest.layouts == {}
    assert Store(cache).blob(manifest.resources["archive"].digest) is not None
    (report,) = hub.import_files("cifar-10", [tmp_path])
    assert report.complete
    assert report.layouts == ()
