import json
from pathlib import Path
from typing import Any

import pytest

from dshub.catalog.features import (
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import DshubError
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New


def test_json_lines_become_columns(new: New, data: Path) -> None:
    """Nested objects and lists are columns, and keys missing from some rows are optional."""
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
        "meta_score": NumberFeature(dtype="float64"),
        "tags": ListFeature(of=TextFeature()),
        "n": NumberFeature(dtype="int64"),
        "rare": NumberFeature(dtype="int64", optional=True),
    }
    assert result["train"][3] == {
        "text": "t3",
        "label": 1,
        "meta_score": 1.5,
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
