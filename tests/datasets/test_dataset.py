"""Compare views with Python lists of the same rows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import Dataset
from dshub.errors import ArgumentError, UnknownNameError
from dshub.loading.order import key_of, permute

Row = dict[str, Any]
Step = tuple[Callable[[Dataset], Dataset], Callable[[list[Row]], list[Row]]]

numbers = st.integers(-5, 45)


def plain(row: Row) -> Row:
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()}


def rows_of(batch: dict[str, Any]) -> list[Row]:
    """Convert a batch to rows."""
    columns = [
        values.tolist()
        if isinstance(values, np.ndarray)
        else [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
        for values in batch.values()
    ]
    return [dict(zip(batch, values, strict=True)) for values in zip(*columns, strict=True)]


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    order = permute(np.arange(len(rows)), len(rows), key_of(seed, 0))
    return [rows[i] for i in order]


def selected(rows: list[Row], numbers_drawn: list[int]) -> list[Row]:
    return [rows[i % len(rows)] for i in numbers_drawn] if rows else []


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Draw a method of a dataset and the same operation on a list."""
    n, k = draw(numbers), draw(st.integers(1, 5))
    numbers_drawn = draw(st.lists(st.integers(0, 60), max_size=30))
    from_end = [-1 if i % 2 else 0 for i in numbers_drawn]  # makes every other index negative
    several: list[Step] = [
        (lambda ds: ds.take(n), lambda rows: rows[: max(n, 0)]),
        (lambda ds: ds.skip(n), lambda rows: rows[max(n, 0) :]),
        (lambda ds: ds.shuffle(n), lambda rows: shuffled(rows, n)),
        (lambda ds: ds.shard(n % k, k), lambda rows: rows[n % k :: k]),
        (
            lambda ds: ds.select(
                [i % len(ds) + t * len(ds) for i, t in zip(numbers_drawn, from_end, strict=True)]
                if len(ds)
                else []
            ),
            lambda rows: selected(rows, numbers_drawn),
        ),
        (
            lambda ds: ds.select(np.arange(len(ds)) % k == 0),
            lambda rows: [row for i, row in enumerate(rows) if i % k == 0],
        ),
        (
            lambda ds: ds.filter(lambda batch: batch["label"] != k % 3, columns=["label"]),
            lambda rows: [row for row in rows if row["label"] != k % 3],
        ),
        (
            lambda ds: ds.split(k / 6, seed=None)[n % 2],
            lambda rows: [rows[: round(len(rows) * k / 6)], rows[round(len(rows) * k / 6) :]][
                n % 2
            ],
        ),
    ]
    return draw(st.sampled_from(several))


@pytest.mark.parametrize("splits", [("train",), ("test", "train"), ("train", "test", "train")])
def test_chained_views_match_chained_lists(prepared: Any, splits: tuple[str, ...]) -> None:
    dataset = prepared.dataset(*splits)
    all_rows = [row for split in splits for row in prepared.rows[split]]

    @given(st.lists(steps(), max_size=5), numbers | st.none(), numbers | st.none(), st.data())
    def check(chain: list[Step], start: int | None, stop: int | None, data: st.DataObject) -> None:
        view, rows = dataset, all_rows
        for of_dataset, of_list in chain:
            view, rows = of_dataset(view), of_list(rows)
        assert len(view) == len(rows)
        assert [plain(row) for row in view] == rows
        assert rows_of(view.numpy()) == rows
        step = data.draw(st.sampled_from([None, 1, 2, 3, -1, -2, 50]))
        assert rows_of(view[start:stop:step]) == rows[start:stop:step]
        assert view["text"] == [row["text"] for row in rows]
        if rows:
            i = data.draw(st.integers(-len(rows), len(rows) - 1))
            assert plain(view[i]) == rows[i]
            assert rows_of(view[[i, 0, i]]) == [rows[i], rows[0], rows[i]]

    check()


def test_rows_have_documented_types(prepared: Any) -> None:
    row = prepared.dataset()[3]
    assert list(row) == ["image", "label", "size", "text", "photo", "tokens", "words"]
    assert (row["image"].dtype, row["image"].shape) == (np.uint8, (2, 3, 1))
    assert (row["size"].dtype, row["size"].shape) == (np.float32, (2,))
    assert (type(row["label"]), type(row["text"])) == (int, str)
    assert (row["photo"].dtype, row["photo"].shape) == (np.uint8, (1, 2, 3))
    assert (row["tokens"].dtype, row["tokens"].shape) == (np.int32, (3,))
    assert row["words"] == ["le", "pâté", "3"]


@pytest.mark.parametrize("take", [0, 1, 40])
def test_columns_have_documented_types(prepared: Any, take: int) -> None:
    """Types do not depend on the number of rows."""
    columns = prepared.dataset().take(take).numpy()
    for name, dtype, shape in [
        ("image", np.uint8, (2, 3, 1)),
        ("label", np.int64, ()),
        ("size", np.float32, (2,)),
    ]:
        assert (columns[name].dtype, columns[name].shape) == (dtype, (take, *shape))
    assert type(columns["text"]) is list
    assert len(columns["text"]) == take
    for name in ("photo", "tokens", "words"):
        assert len(columns[name]) == take


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda ds: ds.take("5"), "count is '5'; it must be a whole number"),
        (lambda ds: ds.skip(2.5), "count is 2.5"),
        (lambda ds: ds.shuffle("x"), "seed is 'x'; it must be a whole number"),
        (lambda ds: ds.shuffle(None), "seed is None"),
        (lambda ds: ds.split("a"), r"shares is \('a',\); it must be shares of the rows"),
        (lambda ds: ds.split(float("nan")), "shares is"),
        (lambda ds: ds.split(0.5, seed="x", stratify="label"), "seed is 'x'"),
        (lambda ds: ds.folds(2.0), "count is 2.0; it must be a whole number from 2 to 40"),
        (lambda ds: ds.take(1).folds(2), "folds need at least 2 rows"),
        (lambda ds: ds.columns(["label", "label"]), "columns without duplicates"),
        (lambda ds: ds.filter(5), "keep is 5; it must be a function of a row or a batch"),
        (lambda ds: ds.align_labels("abc"), "names is 'abc'; it must be a list of names"),
        (lambda ds: ds.align_labels(5), "names is 5"),
    ],
)
def test_invalid_arguments_are_rejected(
    prepared: Any, make: Callable[[Any], Any], words: str
) -> None:
    """The error names the argument, its value and the expected values."""
    with pytest.raises(ArgumentError, match=words):
        make(prepared.dataset())


def test_name_that_is_not_text_is_unknown(prepared: Any) -> None:
    with pytest.raises(UnknownNameError, match="column named 5"):
        prepared.dataset().columns(5)
    with pytest.raises(UnknownNameError, match="adapter named 5"):
        prepared.dataset().to(5)


def test_columns_selects_and_orders_columns(prepared: Any) -> None:
    view = prepared.dataset().columns(["text", "label"])
    assert list(view.features) == list(view[0]) == list(view[:2]) == ["text", "label"]
    assert list(prepared.dataset().columns("label").features) == ["label"]
    assert view.supervised is None
    assert prepared.dataset().columns(["label", "image"]).supervised == ("image", "label")


def test_unknown_column_error_lists_known_columns(prepared: Any) -> None:
    dataset = prepared.dataset()
    for get in (dataset.__getitem__, lambda name: dataset.columns(["label", name])):
        with pytest.raises(UnknownNameError, match="no column named 'lable'") as caught:
            get("lable")
        assert caught.value.hint.endswith(
            "choose from image, label, size, text, photo, tokens, words"
        )
    with pytest.raises(UnknownNameError) as caught:
        dataset.columns(["text"])["label"]
    assert caught.value.known == ("text",)
    with pytest.raises(KeyError):
        dataset["lable"]


def test_views_do_not_change_the_dataset(prepared: Any) -> None:
    dataset = prepared.dataset()
    dataset.shuffle(1), dataset.take(3), dataset.columns(["text"]), dataset.select([1])
    assert [plain(row) for row in dataset] == prepared.rows["train"]


def test_shards_hold_each_row_once(prepared: Any) -> None:
    dataset = prepared.dataset().shuffle(2)
    parts = [dataset.shard(i, 3) for i in range(3)]
    assert [len(part) for part in parts] == [14, 13, 13]
    together = sorted(row["text"] for part in parts for row in part)
    assert together == sorted(dataset["text"])
    for index, count in [(3, 3), (-1, 3), (0.5, 3), ("a", 3)]:
        with pytest.raises(ArgumentError, match=r"index is .* a whole number from 0 to 2"):
            dataset.shard(index, count)
    with pytest.raises(ArgumentError, match="count is 0"):
        dataset.shard(0, 0)


@pytest.mark.parametrize(
    ("shares", "lengths"),
    [
        ((0.9,), [36, 4]),
        ((0.5, 0.5), [20, 20]),
        ((0.8, 0.1), [32, 4, 4]),
        ((1.0,), [40]),
        ((1 / 3, 1 / 3, 1 / 3), [13, 14, 13]),
        ((0.1,) * 10, [4] * 10),
    ],
)
@pytest.mark.parametrize("seed", [None, 5])
def test_split_divides_rows_into_consecutive_parts(
    prepared: Any, shares: tuple[float, ...], lengths: list[int], seed: int | None
) -> None:
    dataset = prepared.dataset()
    parts = dataset.split(*shares, seed=seed)
    assert [len(part) for part in parts] == lengths
    together = [plain(row) for part in parts for row in part]
    rows = prepared.rows["train"]
    assert together == (rows if seed is None else shuffled(rows, seed))


@pytest.mark.parametrize("shares", [(), (0,), (-0.5,), (0.6, 0.6), (1.1,)])
def test_invalid_shares_are_rejected(prepared: Any, shares: tuple[float, ...]) -> None:
    """Shares must be positive and add up to at most 1."""
    with pytest.raises(ValueError, match="above 0"):
        prepared.dataset().split(*shares)


@pytest.mark.parametrize("answer", [[True], np.zeros(40), np.zeros((40, 1), bool), None])
def test_filter_must_return_a_bool_for_each_row(prepared: Any, answer: Any) -> None:
    with pytest.raises(ArgumentError, match="must be a function that returns True or False"):
        prepared.dataset().filter(lambda _: answer, columns=["label"])


def test_filter_and_iteration_cross_blocks() -> None:
    dataset = Dataset.from_arrays({"n": np.arange(5000)})
    kept = dataset.filter(lambda batch: np.asarray(batch["n"] % 7 == 3))
    assert [row["n"] for row in kept] == list(range(3, 5000, 7))
    assert [row["n"] for row in dataset] == list(range(5000))
