"""Tests of the MXNet adapter, which `test_mxnet.py` runs where MXNet is installed."""

import pickle
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError
from dshub.adapters import mxnet as adapter
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.errors import ArgumentError
from dshub.testing.adapters import AdapterTests, assert_same, example, kinds, varied

mxnet: Any = vars(adapter)["mxnet"]
# MXNet uses old names of SciPy, NumPy and the standard library
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
gluon = mxnet.gluon
ToTensor = gluon.data.vision.transforms.ToTensor


def to_numpy(value: Any) -> Any:
    """Convert a value of MXNet, which has wider integers than some features."""
    if isinstance(value, list):
        return [to_numpy(row) for row in value]
    if isinstance(value, mxnet.nd.NDArray):
        return value.asnumpy()
    return value


class TestMxnet(AdapterTests):
    name = "mxnet"
    typed = False

    def to_numpy(self, value: Any) -> Any:
        return to_numpy(value)

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        rows = dataset.to("mxnet", supervised=False)
        return [{name: to_numpy(value) for name, value in row.items()} for row in rows]

    def test_batches_of_every_kind_match_the_loader(self) -> None:
        with pytest.raises(DshubError, match="no unsigned 64-bit type"):
            self.batches_of(kinds(), size=8)
        self.check_batches(kinds().without(["uint64"]), size=8, shuffle=True)

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        rows = dataset.to("mxnet", supervised=False).transform(dict, lazy=True)
        return [{name: to_numpy(value) for name, value in row.items()} for row in rows]


def shades() -> Dataset:
    """Return small images whose brightness depends on the class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 256)
    images = rng.integers(0, 50, (256, 8, 8, 1)) + 50 * labels[:, None, None, None]
    return Dataset.from_arrays(
        {"image": images.astype(np.uint8), "label": labels},
        features={
            "image": ImageFeature(shape=(8, 8, 1)),
            "label": LabelFeature(names=tuple("abcd")),
        },
        supervised=("image", "label"),
    )


def losses(epochs: list[Any]) -> list[float]:
    """Train a small network, and return the mean loss of each epoch."""
    mxnet.random.seed(0)
    network = gluon.nn.HybridSequential()
    network.add(gluon.nn.Conv2D(8, 3, activation="relu"), gluon.nn.GlobalAvgPool2D())
    network.add(gluon.nn.Dense(4))
    network.initialize(mxnet.init.Xavier())
    network.hybridize()
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(network.collect_params(), "adam", {"learning_rate": 0.03})
    means = []
    for epoch in epochs:
        total = 0.0
        for images, labels in epoch:
            here = images.as_in_context(mxnet.cpu()), labels.as_in_context(mxnet.cpu())
            with mxnet.autograd.record():
                errors = loss(network(here[0]), here[1])
            errors.backward()
            trainer.step(len(errors))
            total += float(errors.sum().asscalar())
        means.append(total / len(shades()))
    return means


@pytest.mark.parametrize(
    "workers",
    [{}, {"num_workers": 2}, {"num_workers": 2, "thread_pool": True}],
    ids=["none", "processes", "threads"],
)
def test_gluon_trains_on_rows(workers: dict[str, Any]) -> None:
    rows = shades().to("mxnet").transform_first(ToTensor())
    epochs = gluon.data.DataLoader(rows, batch_size=32, shuffle=True, **workers)
    assert len(epochs) == 8
    first, *_, last = losses([epochs] * 6)
    assert last < 0.7 * first


def test_gluon_trains_on_batches() -> None:
    def scale(batch: dict[str, Any]) -> dict[str, Any]:
        return batch | {"image": batch["image"].astype(np.float32) / 255}

    options: dict[str, Any] = {"layout": "chw", "transform": scale, "supervised": True}
    epochs = shades().batches(32, shuffle=True, **options).to("mxnet")
    first, *_, last = losses([epochs] * 6)
    assert last < 0.7 * first
    assert epochs.loader.epoch == 6


def test_rows_have_the_methods_of_gluon() -> None:
    rows = shades().to("mxnet")
    image, label = rows[3]
    assert (type(image), image.dtype, image.shape) == (mxnet.nd.NDArray, np.uint8, (8, 8, 1))
    assert label == shades()[3]["label"]
    assert [len(rows.shard(3, i)) for i in range(3)] == [86, 85, 85]
    assert len(rows.filter(lambda row: row[1] == 2)) == shades().counts("label")["c"]
    assert len(rows.take(10)) == 10
    assert rows.transform_first(ToTensor())[0][0].shape == (1, 8, 8)
    assert np.array_equal(rows[-1][0].asnumpy(), shades()[255]["image"])
    with pytest.raises(IndexError):
        rows[256]


def test_rows_pickle_for_workers() -> None:
    rows = shades().to("mxnet")
    rows[0]
    copy = pickle.loads(pickle.dumps(rows))
    assert np.array_equal(copy[7][0].asnumpy(), rows[7][0].asnumpy())


def test_pair_can_have_several_columns() -> None:
    (numbers, label) = example().to("mxnet", supervised=(["label", "size"], "label"))[3]
    assert (numbers["label"], label) == (3, 3)
    assert_same(numbers["size"].asnumpy(), example()[3]["size"])
    with pytest.raises(ArgumentError, match="supervised"):
        varied().to("mxnet")


@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint32", "uint64"])
def test_types_that_mxnet_lacks_become_wider(dtype: str) -> None:
    largest = min(np.iinfo(dtype).max, np.iinfo("int64").max)
    values = np.array([[0, largest], [1, 2]], dtype)
    (batch,) = Dataset.from_arrays({"n": values}).batches(2).to("mxnet", ctx=mxnet.cpu())
    assert batch["n"].asnumpy().tolist() == values.tolist()


def test_integers_that_do_not_fit_are_an_error() -> None:
    dataset = Dataset.from_arrays({"n": np.array([2**63], np.uint64)})
    with pytest.raises(DshubError, match="column n holds 9223372036854775808"):
        list(dataset.batches(1).to("mxnet"))
    with pytest.raises(ArgumentError, match="ctx"):
        dataset.batches(1).to("mxnet", ctx="gpu")


def test_import_leaves_numpy_as_it_was() -> None:
    assert "bool" not in vars(np)
