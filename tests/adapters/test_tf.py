from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError, Hub
from dshub.tables.missing import item
from dshub.testing.adapters import AdapterTests, example, unbatched, varied

tf = pytest.importorskip("tensorflow")


def to_numpy(value: Any) -> Any:
    if isinstance(value, tf.RaggedTensor):
        return [to_numpy(row) for row in value]
    if value.dtype != tf.string:
        return value.numpy()
    if value.ndim:
        return [text_of(data) for data in value.numpy().tolist()]
    return text_of(value.numpy())


def text_of(data: bytes) -> str | bytes:
    """Decode text, but not image and audio files; TensorFlow uses bytes for both."""
    return data if data[:4] in {b"\x89PNG", b"RIFF"} else data.decode()


class TestTensorFlow(AdapterTests):
    name = "tf"
    refused = ("photo",)

    def to_numpy(self, value: Any) -> Any:
        return to_numpy(value)

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        return [{name: item(to_numpy(v)) for name, v in row.items()} for row in dataset.tf()]

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        @tf.function  # type: ignore[untyped-decorator]
        def step(batch: Any) -> Any:
            return {name: tf.identity(values) for name, values in batch.items()}

        batches = dataset.batches(8).tf().map(step).prefetch(2)
        return unbatched(map(self.plain, batches))


def spec(*shape: int | None, dtype: str) -> Any:
    return tf.TensorSpec(shape, dtype)


def test_rows_have_static_shapes_and_a_known_length() -> None:
    """Keras builds models from the specification, before it reads a row."""
    tensors = example().tf()
    assert tensors.element_spec == {
        "image": spec(5, 4, 3, dtype="uint8"),
        "label": spec(dtype="int64"),
        "size": spec(2, dtype="float32"),
        "text": spec(dtype="string"),
    }
    assert int(tensors.cardinality()) == 53


def test_varying_lengths_are_none_in_the_specification() -> None:
    tensors = varied().tf()
    assert tensors.element_spec == {
        "photo": spec(None, None, 3, dtype="uint8"),
        "thumb": spec(2, 2, 3, dtype="uint8"),
        "sound": spec(None, 2, dtype="int16"),
        "tokens": spec(None, dtype="int64"),
        "boxes": spec(None, 4, dtype="float32"),
        "words": spec(None, dtype="string"),
    }
    assert int(tensors.cardinality()) == 53
    assert varied().decode(False).tf().element_spec["photo"] == spec(dtype="string")


def test_images_of_several_sizes_can_be_resized_and_batched() -> None:
    rows = varied().columns(["photo"])
    tensors = rows.tf().map(lambda row: tf.image.resize(row["photo"], (4, 4))).batch(8)
    assert sum(int(batch.shape[0]) for batch in tensors) == 53
    with pytest.raises(DshubError, match="column photo can differ in size") as caught:
        rows.batches(8).tf()
    assert "ds.tf().map(…)" in caught.value.hint


def test_batches_of_lists_are_ragged() -> None:
    tensors = varied().columns(["tokens", "boxes", "words", "sound"]).batches(8).tf()
    kinds = {
        name: (kind.shape.as_list(), kind.dtype) for name, kind in tensors.element_spec.items()
    }
    assert kinds == {
        "tokens": ([None, None], tf.int64),
        "boxes": ([None, None, 4], tf.float32),
        "words": ([None, None], tf.string),
        "sound": ([None, None, 2], tf.int16),
    }
    first = next(iter(tensors))
    assert first["tokens"].to_list() == [list(range(i % 5)) for i in range(8)]


def test_rows_of_several_blocks_come_in_order() -> None:
    tensors = Dataset.from_arrays({"n": np.arange(2500)}).tf()
    for _ in range(2):
        assert [int(row["n"]) for row in tensors] == list(range(2500))


@pytest.mark.parametrize(
    ("options", "rows", "count"),
    [
        ({"size": 8}, None, 7),
        ({"size": 8, "drop_last": True}, 8, 6),
        ({"size": 53}, 53, 1),
        ({"size": 100}, None, 1),
        ({"size": 100, "drop_last": True}, 100, 0),
    ],
    ids=str,
)
def test_batches_have_static_shapes_and_a_known_length(
    options: dict[str, Any], rows: int | None, count: int
) -> None:
    """The first dimension is static if every batch has the same number of rows."""
    tensors = example().batches(**options).tf()
    assert tensors.element_spec == {
        "image": spec(rows, 5, 4, 3, dtype="uint8"),
        "label": spec(rows, dtype="int64"),
        "size": spec(rows, 2, dtype="float32"),
        "text": spec(rows, dtype="string"),
    }
    assert int(tensors.cardinality()) == len(list(tensors)) == count


def test_specification_has_layout_and_pairs() -> None:
    tensors = example().batches(8, layout="chw", supervised=True, drop_last=True).tf()
    assert tensors.element_spec == (spec(8, 3, 5, 4, dtype="uint8"), spec(8, dtype="int64"))


def test_each_iteration_is_the_next_epoch() -> None:
    loader = example().batches(8, shuffle=True, seed=1)
    expected = [np.concatenate([b["size"][:, 0] for b in loader]).tolist() for _ in range(2)]
    batches = example().batches(8, shuffle=True, seed=1).tf()
    actual = [np.concatenate([b["size"][:, 0] for b in batches]).tolist() for _ in range(2)]
    assert actual == expected
    assert actual[0] != actual[1]


def test_loader_resumes_from_a_state() -> None:
    first = example().batches(8, shuffle=True)
    walk = iter(first)
    next(walk)
    next(walk)
    second = example().batches(8, shuffle=True)
    second.load_state_dict(first.state_dict())
    batches = second.tf()
    expected = example().batches(8, shuffle=True)
    for skipped in (2, 0):
        texts = [batch["text"] for batch in expected][skipped:]
        assert [to_numpy(batch["text"]) for batch in batches] == texts


def test_state_counts_batches_in_use() -> None:
    loader = example().batches(8, shuffle=True, threads=2)
    for number, _ in enumerate(loader.tf(), 1):
        assert loader.state_after(number) == loader.state_dict()
        if number < len(loader):
            assert loader.state_dict()["position"] == 8 * number
    assert (loader.epoch, loader.state_dict()["position"]) == (1, 0)


def test_state_after_counts_batches_behind_prefetch() -> None:
    loader = example().batches(8, shuffle=True)
    expected = [batch["text"] for _ in range(2) for batch in example().batches(8, shuffle=True)]
    walk = iter(loader.tf().prefetch(4))
    for _ in range(3):
        next(walk)
    resumed = example().batches(8, shuffle=True)
    resumed.load_state_dict(loader.state_after(3))
    assert [to_numpy(batch["text"]) for batch in resumed.tf()] == expected[3:7]


def test_several_iterations_run_at_a_time() -> None:
    batches = example().batches(8).tf()
    for one, other in tf.data.Dataset.zip((batches, batches)):
        assert np.array_equal(one["image"], other["image"])
    left = iter(batches)
    next(left)
    for _ in range(9):
        next(iter(batches))
    with pytest.raises(tf.errors.OpError, match="this iteration was dropped"):
        next(left)


def test_ranks_have_static_shapes() -> None:
    tensors = example().batches(9, rank=1, world=6, uneven="pad").tf()  # 54 rows, 9 per rank
    assert tensors.element_spec["label"] == spec(9, dtype="int64")
    assert sum(batch["label"].shape[0] for batch in tensors) == 9


def test_rows_can_be_pairs() -> None:
    tensors = example().to("tf", supervised=True)
    assert tensors.element_spec == (spec(5, 4, 3, dtype="uint8"), spec(dtype="int64"))
    for (x, y), row in zip(tensors, example(), strict=True):
        assert np.array_equal(x, row["image"])
        assert int(y) == row["label"]
    with pytest.raises(DshubError, match="does not define"):
        varied().tf(supervised=True)


def test_keras_model_learns(hub: Hub) -> None:
    """`fit` runs several epochs and reads the number of batches."""
    tf.keras.utils.set_random_seed(0)
    dataset = hub.load("mnist", "train", synthetic=200)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((28, 28, 1)),
            tf.keras.layers.Rescaling(1 / 255),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(10),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    loader = dataset.batches(20, shuffle=True, supervised=True)
    history = model.fit(loader.tf(), epochs=5, verbose=0, shuffle=False)  # the loader shuffles
    assert len(history.epoch) == 5
    assert history.history["accuracy"][-1] > 0.5
    assert model.predict(dataset.batches(30, supervised=True).tf(), verbose=0).shape == (200, 10)


def test_several_columns_of_a_pair_become_an_array_or_a_dict() -> None:
    columns: dict[str, Any] = {"a": np.arange(3), "b": np.arange(3) / 2, "t": ["x", "y", "z"]}
    dataset = Dataset.from_arrays(columns)
    x, y = next(iter(dataset.tf(supervised=(["a", "b"], ["t", "a"])).skip(1)))
    assert x.numpy().tolist() == [1, 0.5]
    assert {name: value.numpy() for name, value in y.items()} == {"t": b"y", "a": 1}
    (batch_x, batch_y) = next(iter(dataset.batches(2, supervised=(["a", "b"], "t")).tf()))
    assert batch_x.numpy().tolist() == [[0, 0], [1, 0.5]]
    assert batch_y.numpy().tolist() == [b"x", b"y"]
