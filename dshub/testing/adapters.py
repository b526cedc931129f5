"""What every adapter must do: the same rows, in the same order, with the same pixels."""

import io
import wave
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import plugins
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError
from dshub.loading.loader import Loader
from dshub.loading.options import Layout
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.transform import Batch
from dshub.testing.resuming import check_changing, check_resuming

ROWS = 53  # a prime: no batch size divides it


def example() -> Dataset:
    """A dataset with a picture, a label, numbers and text."""
    values = np.arange(ROWS * 5 * 4 * 3, dtype=np.uint32) * 2654435761 >> 24
    return Dataset.from_arrays(
        {
            "image": values.astype(np.uint8).reshape(ROWS, 5, 4, 3),
            "label": np.arange(ROWS, dtype=np.int64) % 7,
            "size": np.linspace(0, 1, ROWS * 2, dtype=np.float32).reshape(ROWS, 2),
            "text": [f"row {i}: pâté" for i in range(ROWS)],
        },
        features={
            "image": ImageFeature(shape=(5, 4, 3)),
            "label": LabelFeature(names=tuple("abcdefg")),
        },
        supervised=("image", "label"),
    )


def varied() -> Dataset:
    """A dataset whose rows differ: pictures and recordings in files, lists, words."""
    rows = range(ROWS)
    sizes = [(1 + i % 3, 2 + i % 2) for i in rows]
    return Dataset.from_arrays(
        {
            "photo": [_png(i, size) for i, size in zip(rows, sizes, strict=True)],
            "thumb": [_png(i, (2, 2)) for i in rows],
            "sound": [_wav(i) for i in rows],
            "tokens": [np.arange(i % 5) for i in rows],
            "boxes": [np.full((i % 3, 4), i, np.float32) for i in rows],
            "words": [["pâté", str(i)] * (i % 3) for i in rows],
        },
        features={
            "photo": ImageFeature(encoding="png"),
            "thumb": ImageFeature(encoding="png", shape=(2, 2, 3)),
            "sound": AudioFeature(rate=8000, channels=2),
        },
    )


def _png(value: int, size: tuple[int, int]) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def _wav(samples: int) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((2, 2, 8000, samples, "NONE", ""))
        file.writeframes(np.arange(2 * samples, dtype="<i2").tobytes())
    return sink.getvalue()


def assert_same(expected: Any, actual: Any) -> None:
    """Two columns, or pairs of them, hold the same values, dtypes and shapes."""
    if isinstance(expected, tuple | list):
        assert len(expected) == len(actual)
        for one, other in zip(expected, actual, strict=True):
            assert_same(one, other)
    elif isinstance(expected, str | bytes):
        assert expected == actual
    else:
        assert expected.dtype == actual.dtype
        np.testing.assert_array_equal(expected, actual)


def _numbers() -> np.ndarray:
    return np.arange(ROWS, dtype=np.uint8)


class Translated(ABC):
    """What the suites below need to know of an adapter.

    Attributes:
        name: of the adapter.
    """

    name: str

    @abstractmethod
    def to_numpy(self, value: Any) -> Any:
        """A tensor of the framework as an array; text as `str`, files as `bytes`.

        A batch of text, of files, and of rows of several shapes is a list of its rows.
        """


class RowsTests(Translated):
    """Subclass it for an adapter that gives rows.

    Attributes:
        files: pictures and recordings stay the files that they are kept as, whether the dataset
            decodes them or not.
    """

    files: bool = False

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Every row that the adapter's `rows` gives, in order, each value through NumPy."""
        found = plugins.module("adapters", self.name).rows(dataset)
        return [
            {key: self.to_numpy(value) for key, value in found[i].items()}
            for i in range(len(dataset))
        ]

    def test_rows_are_those_of_the_dataset(self) -> None:
        """Every row, in order, value by value."""
        dataset = example().shuffle(seed=3)
        found = self.rows_of(dataset)
        assert len(found) == ROWS
        for expected, actual in zip(dataset, found, strict=True):
            assert list(expected) == list(actual)
            for key, value in expected.items():
                assert np.array_equal(np.asarray(value), np.asarray(actual[key])), key

    @pytest.mark.parametrize("decoded", [True, False])
    def test_rows_that_vary_are_those_of_the_dataset(self, decoded: bool) -> None:  # noqa: FBT001
        """Pictures and recordings of several sizes, or their files, and lists."""
        dataset = varied().shuffle(seed=3).decode(decoded)
        found = self.rows_of(dataset)
        dataset = dataset.decode(decoded and not self.files)
        assert len(found) == ROWS
        for expected, actual in zip(dataset, found, strict=True):
            assert list(expected) == list(actual)
            assert_same(list(expected.values()), list(actual.values()))

    def test_rows_of_a_view(self) -> None:
        """Side by side, apart, twice, and of fewer columns."""
        dataset = example()
        for view in (dataset.take(0), dataset.skip(50), dataset.select([5, 3, 5])):
            found = self.rows_of(view.columns(["label", "text"]))
            expected = [{"label": row["label"], "text": row["text"]} for row in view]
            assert found == expected

    def test_no_rows(self) -> None:
        """An empty view is one of the framework's own too, whatever its columns hold."""
        for dataset in (example(), varied(), varied().decode(on=False)):
            assert self.rows_of(dataset.take(0)) == []


class BatchesTests(Translated):
    """Subclass it for an adapter that gives batches.

    Attributes:
        refused: columns of `varied` of which the framework has no batches; asking for them is a
            DshubError whose hint says what to do.
    """

    refused: tuple[str, ...] = ()

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        """The next batches of a loader, over epochs, and its state once they are used.

        Batches go through NumPy. An adapter that does not iterate does it in its own way.
        """
        found = plugins.module("adapters", self.name).batches(loader)
        taken: list[Any] = []
        while len(taken) < count:
            for batch in found:
                taken.append(self.plain(batch))
                if len(taken) == count:
                    break
        return taken, loader.state_dict()

    def batches_of(self, dataset: Dataset, **options: Any) -> list[Any]:
        """The batches of two epochs."""
        loader = dataset.batches(**options)
        return self.steps_of(loader, 2 * len(loader))[0]

    def plain(self, batch: Any) -> Any:
        """A batch with all its values through NumPy."""
        if isinstance(batch, tuple | list):
            return tuple(self.to_numpy(value) for value in batch)
        return {key: self.to_numpy(value) for key, value in batch.items()}

    @pytest.mark.parametrize(
        "options",
        [
            {"size": 8},
            {"size": 8, "drop_last": True},
            {"size": 53},
            {"size": 100, "shuffle": True, "seed": 5},
            {"size": 8, "shuffle": True},
            {"size": 8, "shuffle": True, "layout": "chw"},
            {"size": 8, "supervised": True},
        ],
        ids=str,
    )
    def test_batches_are_those_of_the_loader(self, options: dict[str, Any]) -> None:
        """Two epochs: the same batches, with the same dtypes, shapes and values."""
        dataset = example()
        loader = dataset.batches(**options)
        expected = [batch for _ in range(2) for batch in loader]
        actual = self.batches_of(dataset, **options)
        assert len(actual) == len(expected)
        for one, other in zip(expected, actual, strict=True):
            if isinstance(one, tuple):
                assert_same(one, other)
                continue
            assert list(one) == list(other)
            for key, values in one.items():
                assert_same(values, other[key])

    @pytest.mark.parametrize("column", ["photo", "thumb", "sound", "tokens", "boxes", "words"])
    @pytest.mark.parametrize("layout", ["hwc", "chw"])
    def test_batches_that_vary_are_those_of_the_loader(self, column: str, layout: Layout) -> None:
        """Rows of several shapes are batches too, or an error that says what to do."""
        dataset = varied().columns([column])
        options: dict[str, Any] = {"size": 8, "shuffle": True, "layout": layout}
        if column in self.refused:
            with pytest.raises(DshubError, match=column) as caught:
                self.batches_of(dataset, **options)
            assert "transform" in caught.value.hint
            return
        loader = dataset.batches(**options)
        expected = [batch[column] for _ in range(2) for batch in loader]
        assert_same(expected, [batch[column] for batch in self.batches_of(dataset, **options)])

    def test_no_rows_no_batches(self) -> None:
        """An empty view has none, and that is no error."""
        for options in ({}, {"layout": "chw", "transform": ToFloat()}, {"drop_last": True}):
            assert self.batches_of(example().take(0), size=8, **options) == []

    def test_batches_of_files_are_bytes(self) -> None:
        """As they are kept, where nothing is decoded."""
        dataset = varied().columns(["photo"]).decode(on=False)
        found = self.batches_of(dataset, size=8)
        assert_same(
            [batch["photo"] for batch in dataset.batches(8)] * 2, [b["photo"] for b in found]
        )

    def test_a_transform_makes_one_array_of_pictures(self) -> None:
        """Of several sizes, cut to one."""

        def cut(batch: Batch) -> Batch:
            return {"photo": np.stack([picture[:1, :2] for picture in batch["photo"]])}

        dataset = varied().columns(["photo"])
        found = self.batches_of(dataset, size=8, transform=cut)
        assert_same(np.concatenate([b["photo"] for b in found])[:ROWS, 0, 0, 0], _numbers())

    def test_a_transform_is_applied(self) -> None:
        """What a transform returns is what arrives, with its dtype."""

        def scaled(batch: Batch) -> Batch:
            return batch | {"image": batch["image"].astype(np.float32) / 255}

        batch = self.batches_of(example().columns(["image"]), size=8, transform=scaled)[0]
        assert batch["image"].dtype == np.float32
        np.testing.assert_array_equal(batch["image"], example()[:8]["image"] / np.float32(255))

    def test_it_goes_on_in_a_new_process(self) -> None:
        """Some steps, a state, a new process and the rest are all steps, byte for byte."""
        check_resuming(self)

    def test_it_goes_on_with_another_batch_size_and_other_ranks(self) -> None:
        """In a new process, from batches of 64 to 96, and from 4 ranks to 3: the same rows."""
        check_changing(self)


class AdapterTests(RowsTests, BatchesTests):
    """Subclass it for an adapter that gives both, and say how its values become NumPy's."""
