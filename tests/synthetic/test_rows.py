import msgspec
import numpy as np
import pyarrow as pa

from dshub import Dataset, Hub
from dshub.catalog.features import Feature, ImageFeature, MaskFeature
from dshub.synthetic.rows import make
from dshub.synthetic.synthesize import synthesize
from dshub.tables.table import Table
from tests.preparing import prepare


def test_classes_are_balanced_and_shuffled(shared: Hub) -> None:
    dataset = shared.load("mnist", "train", synthetic=105)
    counts = np.bincount(dataset["label"], minlength=10)
    assert counts.max() - counts.min() <= 1
    assert list(dataset["label"]) != sorted(dataset["label"])


def test_split_without_labels_has_no_label_column(hub: Hub) -> None:
    """A split without labels still has images of every class."""
    real = hub.info("mnist")
    test = msgspec.structs.replace(
        real.splits["test"], without=("label",), files={"image": "test-images"}
    )
    resources = {k: v for k, v in real.resources.items() if k != "test-labels"}
    hidden = msgspec.structs.replace(real, splits=real.splits | {"test": test}, resources=resources)
    synthetic = synthesize(hidden, hub.store, rows=30)
    table = Table(prepare(synthetic, "test", hub.fetcher()))
    assert list(table.features) == ["image"]
    images = np.asarray(table.span("image", 0, 30))
    assert len(np.unique(images.reshape(30, -1), axis=0)) == 30
    assert "label" in Table(prepare(synthetic, "train", hub.fetcher())).features


def test_masks_and_deep_images_have_their_values(hub: Hub) -> None:
    features: dict[str, Feature] = {
        "mask": MaskFeature(encoding="png", names=("a", "b", "c")),
        "raw": MaskFeature(shape=(6, 8), dtype="uint16"),
        "depth": ImageFeature(encoding="png", dtype="uint16", shape=(9, 7, 1)),
        "color": ImageFeature(encoding="any", dtype="float32"),
    }
    batch = make(features, features, 20, seed=0)
    ds = Dataset.from_arrow(pa.table(batch), features=features)
    assert {value for row in ds for value in np.unique(row["mask"])} == {0, 1, 2}
    assert ds[:]["raw"].shape == (20, 6, 8)
    assert ds[0]["depth"].max() > 255
    assert ds[0]["color"].shape[2] == 3
    assert len({row["mask"].shape for row in ds}) > 1
