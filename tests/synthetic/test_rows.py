import msgspec
import numpy as np

from dshub import Hub
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
