"""Test columns that a function computes."""

import pickle
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import (
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import ArgumentError, DshubError, FunctionError, SchemaError
from tests.loading.decoding.examples import encode

COUNT = 2500  # more than a block of rows


@pytest.fixture
def ds() -> Dataset:
    """Return texts of one to seven words."""
    texts = [" ".join(["word"] * (number % 7 + 1)) for number in range(COUNT)]
    label = LabelFeature(names=("even", "odd"))
    columns: dict[str, Any] = {"text": texts, "label": np.arange(COUNT) % 2}
    return Dataset.from_arrays(columns, features={"label": label})


def lengths(batch: dict[str, Any]) -> dict[str, Any]:
    return {"ids": [[len(word) for word in text.split()] for text in batch["text"]]}


def test_row_function_adds_columns(ds: Dataset) -> None:
    mapped = ds.map(lambda row: {"words": len(row["text"].split()), "upper": row["text"].upper()})
    assert list(mapped.features) == ["text", "label", "words", "upper"]
    assert mapped.features["words"] == NumberFeature(dtype="int64")
    assert mapped.features["upper"] == TextFeature()
    assert mapped[10] == {
        "text": "word word word word",
        "label": 0,
        "words": 4,
        "upper": "WORD " * 3 + "WORD",
    }
    assert mapped["words"].tolist() == [n % 7 + 1 for n in range(COUNT)]
    assert [row["words"] for row in mapped.select([8, 3])] == [2, 4]


def test_batched_function_gives_the_same_values(ds: Dataset) -> None:
    batched = ds.map(lengths, batched=True, columns=["text"])
    by_row = ds.map(lambda row: {"ids": [len(word) for word in row["text"].split()]})
    assert batched.features["ids"] == ListFeature(of=NumberFeature(dtype="int64"))
    for view in (batched, batched.shuffle(1).sort("text")):
        expected = [[4] * len(text.split()) for text in view["text"]]
        assert [row.tolist() for row in view["ids"]] == expected
    assert [row.tolist() for row in by_row["ids"]] == [row.tolist() for row in batched["ids"]]


def test_function_gets_at_most_batch_size_rows(ds: Dataset) -> None:
    sizes = []

    def measure(batch: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(batch["text"]))
        return {"size": [len(batch["text"])] * len(batch["text"])}

    assert set(ds.map(measure, batched=True, batch_size=64)["size"]) == {64, COUNT % 64}
    assert max(sizes) == 64


def test_replaced_column_keeps_its_feature_if_the_values_fit(ds: Dataset) -> None:
    flipped = ds.map(lambda row: {"label": 1 - row["label"]})
    assert flipped.features == ds.features
    assert flipped.map(lambda _: {"label": "x"}).features["label"] == TextFeature()


def test_arrays_of_one_shape_become_arrays(ds: Dataset) -> None:
    mapped = ds.map(lambda row: {"v": np.full((2, 3), row["label"], np.float32)})
    assert mapped.features["v"] == NumberFeature(dtype="float32", shape=(2, 3))
    assert mapped[1:3]["v"].tolist() == [[[1] * 3] * 2, [[0] * 3] * 2]


def test_image_functions_get_and_return_pixels(photos: Dataset) -> None:
    gray = photos.map(lambda row: {"image": row["image"][:8, :8]})
    assert gray.features["image"] == ImageFeature(shape=(8, 8, 3))
    assert gray[0]["image"].tolist() == photos[0]["image"][:8, :8].tolist()
    assert next(iter(gray.batches(2)))["image"].shape == (2, 8, 8, 3)


def test_each_row_is_computed_once_for_all_columns(ds: Dataset) -> None:
    calls = []

    def compute(row: dict[str, Any]) -> dict[str, Any]:
        calls.append(row)
        return {"a": 1, "b": 2}

    mapped = ds.map(compute)
    calls.clear()
    assert mapped[5]["a"] == 1
    assert len(calls) == 1
    calls.clear()
    assert mapped.arrow().num_rows == COUNT
    assert len(calls) == COUNT
    calls.clear()
    assert mapped.without(["a", "b"])[5]
    assert not calls


def test_each_row_is_computed_once_if_a_loader_decodes_its_image(photos: Dataset) -> None:
    calls: list[int] = []

    def changed(batch: dict[str, Any]) -> dict[str, Any]:
        calls.append(len(batch["image"]))
        files = [encode(Image.fromarray(image), "PNG") for image in batch["image"]]
        return {"image": files, "sum": [int(image.sum()) for image in batch["image"]]}

    mapped = photos.map(changed, batched=True, features={"image": ImageFeature(encoding="png")})
    calls.clear()
    batches = list(mapped.batches(2, threads=0))
    assert sum(calls) == len(photos)
    for batch in batches:
        assert [int(image.sum()) for image in batch["image"]] == batch["sum"].tolist()


def test_each_row_is_computed_once_in_a_chain_of_maps(ds: Dataset) -> None:
    calls = []

    def count(row: dict[str, Any]) -> dict[str, Any]:
        calls.append(row)
        return {f"column {len(row)}": len(row)}

    chain = ds
    for _ in range(5):
        chain = chain.map(count)
    calls.clear()
    assert chain.shuffle(1)[5]["column 6"] == 6
    assert len(calls) == 5
    calls.clear()
    assert chain.rename({"column 6": "last"}).shuffle(1).arrow().num_rows == COUNT
    assert len(calls) == 5 * COUNT


def test_function_can_change_what_it_gets(ds: Dataset) -> None:
    numbered = ds.add_index().with_column("ids", [[number] * 2 for number in range(COUNT)])

    def change(batch: dict[str, Any]) -> dict[str, Any]:
        batch["index"] += 1
        for ids in batch["ids"]:
            ids[:] = 0
        return {"next": batch.pop("index")}

    mapped = numbered.map(change, batched=True)
    for view in (mapped, mapped.map(change, batched=True), Dataset.from_arrow(mapped.arrow())):
        assert {name: view[[7, 3]][name] for name in ("index", "next")} == {
            "index": pytest.approx([7, 3]),
            "next": pytest.approx([8, 4]),
        }
        assert [ids.tolist() for ids in view["ids"][2:4]] == [[2, 2], [3, 3]]


def test_few_decoded_files_are_in_memory_at_a_time(photos: Dataset) -> None:
    sizes = []

    def measure(batch: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(batch["image"]))
        return {"rows": sizes[-1:] * sizes[-1]}

    many = Dataset.concat([photos] * 20)
    assert len(many.map(measure, batched=True).columns(["rows"]).arrow()) > 16
    assert max(sizes) == 16


def test_files_that_are_not_decoded_reach_the_function(photos: Dataset) -> None:
    sizes = photos.decode(False).map(lambda row: {"size": len(row["image"])})
    assert sizes["size"].tolist() == [len(file) for file in photos.decode(False)["image"]]
    assert isinstance(sizes[0]["image"], bytes)


def test_failing_function_is_named_with_the_row_and_its_values(ds: Dataset) -> None:
    with pytest.raises(FunctionError) as raised:
        ds.map(lambda row: {"x": row["txt"]})
    message, received = str(raised.value).splitlines()
    assert message.endswith("<lambda> failed at own data, row 0: KeyError: 'txt'")
    assert received == "  it received {'text': 'word', 'label': 0}"
    assert isinstance(raised.value.__cause__, KeyError)


def test_failure_in_a_later_row_names_that_row(ds: Dataset) -> None:
    failing = ds.add_index().map(lambda row: {"x": 1 // (row["index"] - 400)})
    with pytest.raises(FunctionError, match="row 400: ZeroDivisionError"):
        failing["x"]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "it must return a dict of columns, but it returned None: is a `return` missing"),
        ([1], "it must return a dict of columns, but it returned a list"),
        ({1: 2}, "it must return a dict of columns, but it returned {1: 2}"),
        ({"x": None}, "column x of map"),
        ({"x": object()}, "column x of map"),
    ],
    ids=["None", "list", "number", "missing", "object"],
)
def test_results_that_are_no_columns_are_rejected(ds: Dataset, result: Any, message: str) -> None:
    with pytest.raises(DshubError, match=message):
        ds.map(lambda _: result)


def test_value_of_another_type_than_the_first_rows_names_the_way_out(ds: Dataset) -> None:
    mapped = ds.add_index().map(lambda row: {"x": 1 if row["index"] < 200 else 1.5})
    with pytest.raises(SchemaError, match=r"row 200, column x of map: got 1\.5") as raised:
        mapped["x"]
    assert raised.value.hint == "pass features={name: …} to map"
    fixed = ds.add_index().map(
        lambda row: {"x": 1 if row["index"] < 200 else 1.5},
        features={"x": NumberFeature(dtype="float64")},
    )
    assert set(fixed["x"]) == {1.0, 1.5}


def test_column_that_some_rows_lack_is_rejected(ds: Dataset) -> None:
    with pytest.raises(SchemaError, match="expected column 'odd' in the result"):
        ds.map(lambda row: {"x": 1, **({"odd": 1} if row["label"] else {})})


def test_batched_function_must_return_a_value_for_each_row(ds: Dataset) -> None:
    with pytest.raises(SchemaError, match="got 1 values, expected 100 values, one for each row"):
        ds.map(lambda _: {"x": [1]}, batched=True)


def test_no_rows_need_features(ds: Dataset) -> None:
    feature = NumberFeature(dtype="int64")
    empty = ds.take(0).map(lambda _: {"x": 1}, features={"x": feature})
    assert empty.features["x"] == feature
    assert len(empty["x"]) == 0


def test_mapped_rows_reach_worker_processes(ds: Dataset) -> None:
    mapped = ds.map(lengths, batched=True)
    assert pickle.loads(pickle.dumps(mapped))[3]["ids"].tolist() == [4] * 4


@pytest.mark.parametrize(
    "arguments",
    [{"function": 5}, {"batched": "yes"}, {"batch_size": 0}, {"features": {"x": "int64"}}],
)
def test_invalid_arguments_are_rejected(ds: Dataset, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        ds.map(**({"function": lengths} | arguments))
