import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import Dataset
from dshub.catalog.features import (
    LabelFeature,
    ListFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)
from dshub.errors import DshubError
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New


def test_json_lines_become_columns(new: New, data: Path) -> None:
    """Objects and lists are columns, and keys missing from some rows are optional."""
    rows: list[dict[str, Any]] = [
        {"text": f"t{i}", "label": "ab"[i % 2], "meta": {"score": i / 2}, "tags": ["x"] * i, "n": i}
        for i in range(4)
    ]
    rows[2]["rare"] = 1
    write_text(data / "train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    result = new(data)
    assert result.manifest.features == {
        "text": TextFeature(),
        "label": LabelFeature(names=("a", "b")),
        "meta": StructFeature(fields={"score": NumberFeature(dtype="float64")}),
        "tags": ListFeature(of=TextFeature()),
        "n": NumberFeature(dtype="int64"),
        "rare": NumberFeature(dtype="int64", optional=True),
    }
    assert result["train"][3] == {
        "text": "t3",
        "label": 1,
        "meta": {"score": 1.5},
        "tags": ["x"] * 3,
        "n": 3,
        "rare": None,
    }


def test_objects_with_different_keys_are_structs(new: New, data: Path) -> None:
    """Chat messages have optional keys."""
    call = {"name": "search", "arguments": {"q": "x"}}
    chats: list[Any] = [
        [{"role": "user", "content": "hi", "name": "bob"}],
        [{"role": "assistant", "content": None, "calls": [call]}, {"role": "user", "content": "q"}],
        [],
    ]
    lines = [json.dumps({"messages": chat}) for chat in chats]
    write_text(data / "train.jsonl", "\n".join(lines))
    rows = [row["messages"] for row in new(data)["train"]]
    keys = ("role", "content", "name", "calls")
    assert rows == [[{key: m.get(key) for key in keys} for m in chat] for chat in chats]


def test_objects_have_one_column_whether_or_not_their_keys_are_optional(data: Path) -> None:
    """The columns of chats do not depend on a key in one of a million messages."""
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "4"}]
    rows = [{"messages": turns, "meta": {"id": "7"}}, {"messages": turns[:1], "meta": {"id": "8"}}]
    write_text(data / "chats.jsonl", "\n".join(map(json.dumps, rows)))
    assert list(Dataset.from_json(data / "chats.jsonl")) == rows


def test_object_with_an_unreadable_key_is_divided(data: Path) -> None:
    write_text(data / "a.jsonl", '{"m": {"id": 1, "x": null}}\n{"m": {"id": 2, "x": null}}\n')
    with pytest.warns(UserWarning, match=r"key 'm\.x' is omitted: it is always null"):
        ds = Dataset.from_json(data / "a.jsonl")
    assert list(ds) == [{"m.id": 1}, {"m.id": 2}]


def test_text_of_digits_stays_text(new: New, data: Path) -> None:
    """Answers such as "4" are text in JSON and Parquet, but classes are classes."""
    rows = [{"answer": str(i), "ok": "true", "label": "01"[i % 2]} for i in range(4)]
    write_text(data / "train.jsonl", "\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), data / "a.parquet")
    for ds in (
        new(data / "train.jsonl")["train"],
        new(data / "a.parquet")["train"],
        Dataset.from_json(data / "train.jsonl"),
        Dataset.from_parquet(data / "a.parquet"),
    ):
        assert ds["answer"] == ["0", "1", "2", "3"]
        assert ds["ok"] == ["true"] * 4
        assert ds.features["label"] == LabelFeature(names=("0", "1"), codes=("0", "1"))


def test_numbers_in_text_can_be_stated(new: New, data: Path) -> None:
    write_text(data / "train.jsonl", '{"n": "1"}\n{"n": "2"}\n')
    assert new(data, "--number", "n")["train"]["n"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "document",
    [
        {"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}},
        {"a": {"0": 1, "1": 2}},
        {"0": {"a": 1, "b": "x"}, "1": {"a": 2}},
        {"im1": {"a": 1}, "im2": {"a": 2}},
        {"columns": ["a"], "index": [0, 1], "data": [[1], [2]]},
        {"a": [1, 2], "b": ["x", "y"]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_columns_are_rejected(data: Path, document: Any, indent: int | None) -> None:
    """`to_json` of pandas writes columns unless `orient` is `records`."""
    write_text(data / "a.json", json.dumps(document, indent=indent))
    with pytest.raises(DshubError, match="columns or an index, not rows") as caught:
        Dataset.from_json(data / "a.json")
    assert "lines=True" in caught.value.hint
    write_text(data / "a.jsonl", json.dumps(document))
    assert len(Dataset.from_json(data / "a.jsonl")) == 1


def test_nan_and_infinity_are_numbers(new: New, data: Path) -> None:
    """Python writes them, although they are not JSON."""
    rows = [{"x": float("nan"), "t": "\U0001f600"}, {"x": float("-inf"), "t": "b"}]
    write_text(data / "train.jsonl", "\n".join(map(json.dumps, rows)))
    for ds in (new(data)["train"], Dataset.from_json(data / "train.jsonl")):
        assert np.array_equal(ds["x"], [np.nan, -np.inf], equal_nan=True)
        assert ds["t"] == ["\U0001f600", "b"]


def test_text_that_is_not_unicode_beside_nan_is_rejected(data: Path) -> None:
    write_text(data / "a.jsonl", '{"x": NaN, "t": "\\ud83d"}\n{"x": 1.5, "t": "b"}\n')
    with pytest.raises(DshubError, match=r"a\.jsonl: line 1"):
        Dataset.from_json(data / "a.jsonl")


def test_empty_file_is_rejected(data: Path) -> None:
    write_text(data / "a.jsonl", "")
    with pytest.raises(DshubError, match=r"a\.jsonl is empty"):
        Dataset.from_json(data / "a.jsonl")


def test_lists_of_lists_and_nulls_are_kept(new: New, data: Path) -> None:
    rows = [{"m": [[1], []], "w": ["a", None]}, {"m": None, "w": []}]
    write_text(data / "train.jsonl", "\n".join(map(json.dumps, rows)))
    result = new(data)["train"]
    assert result.arrow().to_pylist() == rows


def test_integers_of_64_bits_are_exact(new: New, data: Path) -> None:
    write_text(data / "train.jsonl", f'{{"id": {2**64 - 1}, "x": {2**64}}}\n{{"id": 1, "x": 1}}')
    result = new(data)
    assert result["train"]["id"].tolist() == [2**64 - 1, 1]
    assert "integers of more than 64 bits" in result.doubts("'x'")[0]


def test_key_of_several_types_is_omitted(new: New, data: Path) -> None:
    write_text(data / "train.jsonl", '{"a": 1, "b": 1}\n{"a": 2, "b": "x"}\n')
    result = new(data)
    assert list(result.manifest.features) == ["a"]
    assert "integer and string" in result.doubts("'b'")[0]


@pytest.mark.parametrize("rows", ["", "data"])
def test_json_document_with_a_list_of_rows_is_read(new: New, data: Path, rows: str) -> None:
    """The document is the list itself, or an object that contains the list."""
    items = [{"q": "why", "ok": True}, {"q": "how", "ok": False}]
    document: Any = {"version": "1", "data": items} if rows else items
    write_text(data / "train.json", json.dumps(document, indent=1))
    write_text(data / "test.json", json.dumps(document))
    result = new(data)
    assert result["test"][1] == {"q": "how", "ok": 0}
    assert result["train"]["ok"][:].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": 2}\n{"a": \n', r"train\.json: line 3: not valid JSON"),
        ("[" * 100_000, r"train\.json: not valid JSON: "),
        ('{"a": 1}\n[3]\n', r"train\.json: row 2 is not an object"),
        ('{"a": [{"x": 1}], "b": [{"x": 1}]}', r"has several lists: a\[\], b\[\]"),
        ('{"a": null}\n{"a": null}\n', "no key with values of one type"),
    ],
)
def test_json_that_is_not_a_table_is_rejected(
    new: New, data: Path, content: str, message: str
) -> None:
    write_text(data / "train.json", content)
    with pytest.raises(DshubError, match=message):
        new(data)
