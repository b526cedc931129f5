import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dshub.catalog.features import (
    BytesFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.manifest import Rename
from dshub.datasets.tabular.columns import Column
from dshub.datasets.tabular.guessing import guess
from tests.independent.own_files import write_text
from tests.loading.decoding.examples import encode
from tests.publishing.authoring.conftest import New


def test_features_follow_from_all_values(new: New, data: Path) -> None:
    rows = [
        f'{i},{i / 4},"a, ""quoted"" text {i}",0{i % 7},{"" if i == 5 else i},{"yn"[i % 2]}'
        for i in range(40)
    ]
    write_text(data / "train.csv", "\r\n".join(["Id,Size (cm),text,code,age,grade", *rows, ""]))
    result = new(data / "train.csv")
    assert result.manifest.features == {
        "id": NumberFeature(dtype="int64"),
        "size_cm": NumberFeature(dtype="float64"),
        "text": TextFeature(),
        "code": TextFeature(),
        "age": NumberFeature(dtype="int64", missing=("",), optional=True),
        "grade": LabelFeature(names=("n", "y")),
    }
    step = Rename(columns={"Id": "id", "Size (cm)": "size_cm"})
    assert result.manifest.splits["train"].steps == (step,)
    row = result["train"][5]
    assert row.pop("age") is None
    expected = {"id": 5, "size_cm": 1.25, "text": 'a, "quoted" text 5', "code": "05", "grade": 0}
    assert row == expected
    assert result["train"]["age"][:][6] == 6


@pytest.mark.parametrize(
    ("name", "values", "feature"),
    [
        ("y", [5, 3, 5], LabelFeature(names=("3", "5"), codes=("3", "5"))),
        ("y", [-1, 1, 1], LabelFeature(names=("-1", "1"), codes=("-1", "1"))),
        ("y", [0, 5000, 0], LabelFeature(names=("0", "5000"), codes=("0", "5000"))),
        ("y", [4, 3], LabelFeature(names=("3", "4"), first=3)),
        ("y", [3, 5], NumberFeature(dtype="int64")),
        ("y", [0, 5000], NumberFeature(dtype="int64")),
        ("x", [3, 5], NumberFeature(dtype="int64")),
        ("x", ["18446744073709551615", "7"], NumberFeature(dtype="uint64")),
        ("x", ["18446744073709551616", "7"], TextFeature()),
        ("x", ["18446744073709551615", "-7"], TextFeature()),
        ("y", [True, False], LabelFeature(names=("false", "true"))),
        ("x", [True, False], NumberFeature(dtype="bool")),
        ("x", ["True", "false"], NumberFeature(dtype="bool")),
        ("x", ["True", ""], NumberFeature(dtype="bool", missing=("",), optional=True)),
        ("x", ["1", "02"], TextFeature()),
        ("x", ["1", "NA"], NumberFeature(dtype="int64", missing=("NA",), optional=True)),
        ("x", ["1.5", "NA"], NumberFeature(dtype="float64", missing=("NA",))),
        (
            "x",
            ["1234567890123456789", ""],
            NumberFeature(dtype="int64", missing=("",), optional=True),
        ),
        (
            "x",
            ["-1234567890123456789", "NA"],
            NumberFeature(dtype="int64", missing=("NA",), optional=True),
        ),
        ("x", ["1234567890123456789", "1"], NumberFeature(dtype="int64")),
        ("x", ["a", "b"] * 10, LabelFeature(names=("a", "b"))),
        ("text", ["a", "b"] * 10, TextFeature()),
        ("x", [[1, 2]], ListFeature(of=NumberFeature(dtype="int64"))),
        ("x", [b"GIF89a"], ImageFeature(encoding="any")),
        ("x", [b"text"], BytesFeature()),
        ("x", [None, 1], NumberFeature(dtype="int64", optional=True)),
        ("x", [None, None], None),
    ],
)
def test_feature_is_guessed_from_name_and_values(
    name: str, values: list[Any], feature: Feature | None
) -> None:
    """A column that fits no feature is dropped with a note."""
    column = Column(name)
    column.add("train", pa.array(values))
    guessed, note = guess(column, "")
    assert guessed == feature
    assert note or feature is not None


ROUTES = ("csv", "jsonl", "parquet")


def write_rows(folder: Path, route: str, label: list[Any]) -> Path:
    """Write a table with a column of labels and another column."""
    path = folder / f"rows.{route}"
    table = pa.table({"x": [i + 0.5 for i in range(len(label))], "label": label})
    if route == "csv":
        shown = ["" if value is None else value for value in label]
        write_text(path, "x,label\n" + "".join(f"{i}.5,{v}\n" for i, v in enumerate(shown)))
    elif route == "jsonl":
        write_text(path, "".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("label", "names", "numbers"),
    [
        ([0, 4, 0], ("0", "4"), [0, 1, 0]),
        ([1, -1, 1], ("-1", "1"), [1, 0, 1]),
        ([10, 9, 100, 9], ("9", "10", "100"), [1, 0, 2, 0]),
        ([1, 2, 3, 2], ("1", "2", "3"), [0, 1, 2, 1]),
        ([0, 70000, 0], ("0", "70000"), [0, 1, 0]),
        ([5, None, 7, 5], ("5", "7"), [0, None, 1, 0]),
        (["neg", "pos", None, "neg"], ("neg", "pos"), [0, 1, None, 0]),
        ([True, False, True], ("false", "true"), [1, 0, 1]),
    ],
)
def test_classes_do_not_depend_on_the_format(
    new: New, data: Path, label: list[Any], names: tuple[str, ...], numbers: list[int | None]
) -> None:
    for route in ROUTES:
        result = new(write_rows(data, route, label), "--force")
        feature = result.manifest.features["label"]
        assert (route, feature.names) == (route, names)
        assert (route, [row["label"] for row in result["train"]]) == (route, numbers)
        counts = tuple(numbers.count(number) for number in range(len(names)))
        assert result.manifest.splits["train"].figures == {"label-counts": counts}


def test_images_of_16_bits_keep_their_dtype() -> None:
    depths = np.arange(6, dtype=np.uint16).reshape(2, 3) * 9000
    gray, deep = (
        encode(Image.fromarray(pixels), "PNG") for pixels in (depths.astype(np.uint8), depths)
    )
    floats = encode(Image.fromarray(depths.astype(np.float32)), "TIFF")
    for files, dtype, doubts in [
        ([deep, deep], "uint16", ""),
        ([floats, deep], "float32", ""),
        ([gray, gray], "uint8", ""),
        ([gray, deep], "uint8", 'dtype = "uint16"'),
        ([encode(Image.fromarray(depths).convert("L"), "JPEG"), floats], "uint8", "float32"),
    ]:
        column = Column("x")
        column.add("train", pa.array(files, pa.binary()))
        feature, doubt = guess(column, "", ())
        assert isinstance(feature, ImageFeature)
        assert feature.dtype == dtype
        assert doubts in doubt
        assert bool(doubts) == bool(doubt)
