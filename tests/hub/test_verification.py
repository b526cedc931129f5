"""Find damage, set it aside, and fetch the data again."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from dshub import Hub, Manifest
from dshub.cache.store import Store
from dshub.catalog.features import LabelFeature
from dshub.download.fetcher import Fetcher
from dshub.download.sources import jobs
from dshub.hub.verification import Finding, verify
from dshub.synthetic.synthesize import synthesize
from dshub.tables.recipe import find
from dshub.tables.table import Table
from tests.preparing import prepare


class Kept:
    """Synthetic MNIST, fetched from a mirror and prepared."""

    def __init__(self, store: Store, manifest: Manifest, mirror: Path) -> None:
        self.store, self.manifest, self.mirror = store, manifest, mirror

    def mend(self) -> None:
        """What `dshub fetch` does: bring what is missing, and prepare."""
        fetcher = Fetcher(self.store, mirrors=[str(self.mirror)])
        fetcher.fetch(jobs(self.manifest))
        for split in self.manifest.splits:
            prepare(self.manifest, split, fetcher)

    def verify(self) -> dict[str, Finding]:
        """The findings by their things."""
        return {finding.thing: finding for finding in verify(self.manifest, self.store)}

    def blob(self) -> Path:
        """The file of the test images."""
        path = self.store.blob(self.manifest.resources["test-images"].digest)
        assert path is not None
        return path

    def table(self) -> Path:
        """The folder of the test split."""
        path = find(self.manifest, "test", self.store)
        assert path is not None
        return path


@pytest.fixture
def kept(hub: Hub, tmp_path: Path) -> Kept:
    """Return prepared synthetic data without damage."""
    mirror = tmp_path / "mirror"
    manifest = synthesize(hub.info("mnist"), Store(mirror), rows=30)
    made = Kept(hub.store, manifest, mirror)
    made.mend()
    return made


def flip(path: Path) -> None:
    """Change one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    """Drop the last byte."""
    path.write_bytes(path.read_bytes()[:-1])


def all_ok(findings: dict[str, Finding]) -> bool:
    """Return whether there are findings, and all are ok."""
    return bool(findings) and {finding.state for finding in findings.values()} == {"ok"}


def test_intact_data_is_ok(kept: Kept) -> None:
    before = {path: path.stat().st_mtime_ns for path in kept.store.root.rglob("*")}
    findings = kept.verify()
    assert all_ok(findings)
    files = {f"file {name}" for name in kept.manifest.resources}
    assert findings.keys() == {*files, "table train", "table test"}
    assert {path: path.stat().st_mtime_ns for path in kept.store.root.rglob("*")} == before


def test_data_that_was_never_fetched_is_missing(hub: Hub) -> None:
    findings = list(verify(hub.info("mnist"), hub.store))
    assert [finding.state for finding in findings] == ["missing"] * 6
    assert not hub.store.root.exists()


@pytest.mark.parametrize("damage", [flip, cut])
def test_damaged_file_is_set_aside(kept: Kept, damage: Callable[[Path], None]) -> None:
    path = kept.blob()
    damage(path)
    damaged = path.read_bytes()
    finding = kept.verify()["file test-images"]
    assert finding.state == "damaged"
    assert not path.exists()
    assert Path(finding.detail.rpartition("set aside as ")[2]).read_bytes() == damaged
    assert kept.verify()["file test-images"].state == "missing"
    kept.mend()
    assert all_ok(kept.verify())


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_damaged_shard_is_set_aside(kept: Kept, damage: Callable[[Path], None]) -> None:
    rows = np.array(Table(kept.table()).span("image", 0, 30))
    damage(kept.table() / "test-00000-of-00001.arrow")
    findings = kept.verify()
    assert findings.pop("table test").state == "damaged"
    assert all_ok(findings)
    assert find(kept.manifest, "test", kept.store) is None
    kept.mend()
    assert all_ok(kept.verify())
    np.testing.assert_array_equal(Table(kept.table()).span("image", 0, 30), rows)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"schema": 2}'])
def test_damaged_table_record_is_damage(kept: Kept, content: bytes) -> None:
    (kept.table() / "table.json").write_bytes(content)
    assert kept.verify()["table test"].state == "damaged"
    kept.mend()
    assert all_ok(kept.verify())


def test_damage_in_a_read_only_layer_stays_there(kept: Kept, tmp_path: Path) -> None:
    path = kept.blob()
    flip(path)
    store = Store(tmp_path / "mine", [kept.store.root])
    findings = {finding.thing: finding for finding in verify(kept.manifest, store)}
    assert findings["file test-images"].state == "damaged"
    assert str(path) in findings["file test-images"].detail
    assert path.exists()


def figures_of(kept: Kept, figures: dict[str, int | tuple[int, ...]]) -> list[Finding]:
    """Return the findings for some published figures of the test split."""
    test = msgspec.structs.replace(kept.manifest.splits["test"], figures=figures)
    manifest = msgspec.structs.replace(kept.manifest, splits=kept.manifest.splits | {"test": test})
    result = verify(manifest, kept.store)
    return [finding for finding in result if finding.thing.startswith("figure")]


def test_matching_figures_are_ok(kept: Kept) -> None:
    table = Table(kept.table())
    labels = [int(label) for label in table.span("label", 0, 30)]
    feature = kept.manifest.features["label"]
    assert isinstance(feature, LabelFeature)
    pixels = b"".join(bytes(np.asarray(table.span("image", i, i + 1))) for i in range(30))
    figures: dict[str, int | tuple[int, ...]] = {
        "label-counts": tuple(labels.count(i) for i in range(len(feature.names))),
        "label-sum": sum(labels),
        "image-sum": sum(pixels),
    }
    assert [(finding.thing, finding.state) for finding in figures_of(kept, figures)] == [
        (f"figure {name} of test", "ok") for name in figures
    ]


def test_differing_figures_are_reported(kept: Kept) -> None:
    result = figures_of(kept, {"image-sum": 5, "label-counts": (21, *(1 for _ in range(9)))})
    assert [finding.state for finding in result] == ["unlike", "unlike"]
    assert result[0].detail.endswith("expected 5")
    assert kept.table().is_dir()
