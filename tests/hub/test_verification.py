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


class PreparedMnist:
    """Synthetic MNIST, fetched from a mirror and prepared."""

    def __init__(self, store: Store, manifest: Manifest, mirror: Path) -> None:
        self.store, self.manifest, self.mirror = store, manifest, mirror

    def repair(self) -> None:
        """Fetch missing files and prepare tables, as `dshub fetch` does."""
        fetcher = Fetcher(self.store, mirrors=[str(self.mirror)])
        fetcher.fetch(jobs(self.manifest))
        for split in self.manifest.splits:
            prepare(self.manifest, split, fetcher)

    def verify(self) -> dict[str, Finding]:
        """Return the verification findings by item name."""
        return {finding.thing: finding for finding in verify(self.manifest, self.store)}

    def blob(self) -> Path:
        """Return the path of the test images."""
        path = self.store.blob(self.manifest.resources["test-images"].digest)
        assert path is not None
        return path

    def table(self) -> Path:
        """Return the folder of the test split's table."""
        path = find(self.manifest, "test", self.store)
        assert path is not None
        return path


@pytest.fixture
def mnist(hub: Hub, tmp_path: Path) -> PreparedMnist:
    """Return prepared synthetic MNIST without damage."""
    mirror = tmp_path / "mirror"
    manifest = synthesize(hub.info("mnist"), Store(mirror), rows=30)
    prepared = PreparedMnist(hub.store, manifest, mirror)
    prepared.repair()
    return prepared


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def drop_last_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def all_ok(findings: dict[str, Finding]) -> bool:
    """Return True if there are findings and all are ok."""
    return bool(findings) and {finding.state for finding in findings.values()} == {"ok"}


def test_intact_data_is_ok(mnist: PreparedMnist) -> None:
    before = {path: path.stat().st_mtime_ns for path in mnist.store.root.rglob("*")}
    findings = mnist.verify()
    assert all_ok(findings)
    files = {f"file {name}" for name in mnist.manifest.resources}
    assert findings.keys() == {*files, "table train", "table test"}
    assert {path: path.stat().st_mtime_ns for path in mnist.store.root.rglob("*")} == before


def test_data_that_was_never_fetched_is_missing(hub: Hub) -> None:
    findings = list(verify(hub.info("mnist"), hub.store))
    assert [finding.state for finding in findings] == ["missing"] * 6
    assert not hub.store.root.exists()


@pytest.mark.parametrize("damage", [flip, drop_last_byte])
def test_damaged_file_is_set_aside(mnist: PreparedMnist, damage: Callable[[Path], None]) -> None:
    path = mnist.blob()
    damage(path)
    damaged = path.read_bytes()
    finding = mnist.verify()["file test-images"]
    assert finding.state == "damaged"
    assert not path.exists()
    assert Path(finding.detail.rpartition("set aside as ")[2]).read_bytes() == damaged
    assert mnist.verify()["file test-images"].state == "missing"
    mnist.repair()
    assert all_ok(mnist.verify())


@pytest.mark.parametrize("damage", [flip, drop_last_byte, Path.unlink])
def test_damaged_shard_is_set_aside(mnist: PreparedMnist, damage: Callable[[Path], None]) -> None:
    rows = np.array(Table(mnist.table()).span("image", 0, 30))
    damage(mnist.table() / "test-00000-of-00001.arrow")
    findings = mnist.verify()
    assert findings.pop("table test").state == "damaged"
    assert all_ok(findings)
    assert find(mnist.manifest, "test", mnist.store) is None
    mnist.repair()
    assert all_ok(mnist.verify())
    np.testing.assert_array_equal(Table(mnist.table()).span("image", 0, 30), rows)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"schema": 2}'])
def test_damaged_table_record_is_damage(mnist: PreparedMnist, content: bytes) -> None:
    (mnist.table() / "table.json").write_bytes(content)
    assert mnist.verify()["table test"].state == "damaged"
    mnist.repair()
    assert all_ok(mnist.verify())


def test_damage_in_a_read_only_layer_stays_there(mnist: PreparedMnist, tmp_path: Path) -> None:
    path = mnist.blob()
    flip(path)
    store = Store(tmp_path / "mine", [mnist.store.root])
    findings = {finding.thing: finding for finding in verify(mnist.manifest, store)}
    assert findings["file test-images"].state == "damaged"
    assert str(path) in findings["file test-images"].detail
    assert path.exists()


def figures_of(mnist: PreparedMnist, figures: dict[str, int | tuple[int, ...]]) -> list[Finding]:
    """Return the findings for published figures of the test split."""
    test = msgspec.structs.replace(mnist.manifest.splits["test"], figures=figures)
    manifest = msgspec.structs.replace(
        mnist.manifest, splits=mnist.manifest.splits | {"test": test}
    )
    result = verify(manifest, mnist.store)
    return [finding for finding in result if finding.thing.startswith("figure")]


def test_matching_figures_are_ok(mnist: PreparedMnist) -> None:
    table = Table(mnist.table())
    labels = [int(label) for label in table.span("label", 0, 30)]
    feature = mnist.manifest.features["label"]
    assert isinstance(feature, LabelFeature)
    pixels = b"".join(bytes(np.asarray(table.span("image", i, i + 1))) for i in range(30))
    figures: dict[str, int | tuple[int, ...]] = {
        "label-counts": tuple(labels.count(i) for i in range(len(feature.names))),
        "label-sum": sum(labels),
        "image-sum": sum(pixels),
    }
    assert [(finding.thing, finding.state) for finding in figures_of(mnist, figures)] == [
        (f"figure {name} of test", "ok") for name in figures
    ]


def test_differing_figures_are_reported(mnist: PreparedMnist) -> None:
    result = figures_of(mnist, {"image-sum": 5, "label-counts": (21, *(1 for _ in range(9)))})
    assert [finding.state for finding in result] == ["unlike", "unlike"]
    assert result[0].detail.endswith("expected 5")
    assert mnist.table().is_dir()
