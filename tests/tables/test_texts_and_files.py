import math

import pyarrow as pa
import pytest

from dshub.catalog.features import (
    AudioFeature,
    Dtype,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import SchemaError
from dshub.tables.conforming import conform


def fit(values: pa.Array, feature: Feature) -> pa.Array:
    """Conform a batch of one column that starts at row 100."""
    batch = pa.RecordBatch.from_pydict({"x": values})
    return conform(batch, {"x": feature}, where="ds, split train", first_row=100).column("x")


@pytest.mark.parametrize(
    ("texts", "dtype", "expected"),
    [
        (["1", "-2", "30"], "int32", [1, -2, 30]),
        (["1", "0.5", "-2e3", "inf"], "float64", [1.0, 0.5, -2000.0, math.inf]),
        (["0.1"], "float32", [pa.scalar(0.1, pa.float32()).as_py()]),
    ],
)
def test_text_becomes_a_number(texts: list[str], dtype: Dtype, expected: list[float]) -> None:
    """Text files have no number types, so the feature determines the type."""
    assert fit(pa.array(texts), NumberFeature(dtype=dtype)).to_pylist() == expected


@pytest.mark.parametrize(
    ("texts", "dtype", "row", "message"),
    [
        (["1", "x", "2"], "int64", 101, "'x'"),
        (["1", "2", ""], "float32", 102, "''"),
        (["1.5"], "int64", 100, "'1.5'"),
        (["1", "300"], "uint8", 101, "'300'"),
        (["1", "2", "3", "-1", "x"], "uint8", 103, "'-1'"),
    ],
)
def test_text_that_is_not_a_number_is_rejected(
    texts: list[str], dtype: Dtype, row: int, message: str
) -> None:
    with pytest.raises(SchemaError, match=f"row {row}: got {message}"):
        fit(pa.array(texts), NumberFeature(dtype=dtype))


def test_missing_values_become_nan() -> None:
    feature = NumberFeature(dtype="float64", missing=("?", "NA"))
    result = fit(pa.array(["1", "?", "NA"]), feature).to_pylist()
    assert result[0] == 1.0
    assert all(math.isnan(value) for value in result[1:])
    with pytest.raises(SchemaError, match="row 100"):
        fit(pa.array(["-"]), feature)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pa.array([1, 2], pa.int64()), "int32"),
        (pa.array([1, 2], pa.uint8()), "float32"),
        (pa.array([1.0, 2.0], pa.float64()), "float32"),
        (pa.array([1, 2], pa.int64()), "uint8"),
    ],
)
def test_numbers_are_cast_to_the_feature_dtype(values: pa.Array, dtype: Dtype) -> None:
    result = fit(values, NumberFeature(dtype=dtype))
    assert result.to_pylist() == [1, 2]
    assert result.type == pa.from_numpy_dtype(dtype)


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        (pa.array([1, 2**40]), "int32", f"row 101: got {2**40}"),
        (pa.array([1, -1]), "uint8", "row 101: got -1"),
        (pa.array([1, 2**53 + 1]), "float64", "row 101"),
        (pa.array([1.5]), "int32", "expected one int32"),
    ],
)
def test_number_that_does_not_fit_is_rejected(values: pa.Array, dtype: Dtype, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        fit(values, NumberFeature(dtype=dtype))


def test_labels_are_parsed_by_code_name_or_number() -> None:
    """Labels are codes if the feature has codes, and otherwise names or upstream numbers."""
    named = LabelFeature(names=("cat", "dog"))
    coded = LabelFeature(names=("cat", "dog"), codes=("n01", "n02"))
    counted = LabelFeature(names=("cat", "dog"), first=1)
    assert fit(pa.array(["dog", "cat"]), named).to_pylist() == [1, 0]
    assert fit(pa.array(["n02", "n01"]), coded).to_pylist() == [1, 0]
    assert fit(pa.array(["2", "1"]), counted).to_pylist() == [1, 0]
    assert fit(pa.array([True, False]), named).to_pylist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("bird", LabelFeature(names=("cat", "dog"))),
        ("cat", LabelFeature(names=("cat", "dog"), codes=("n01", "n02"))),
        ("1", LabelFeature(names=("cat", "dog"), codes=("n01", "n02"))),
        ("3", LabelFeature(names=("cat", "dog"), first=1)),
        ("9", LabelFeature(names=("1", "2"))),
    ],
)
def test_unknown_class_name_is_rejected(text: str, feature: LabelFeature) -> None:
    good = "1" if feature.first else (feature.codes or feature.names)[0]
    with pytest.raises(SchemaError, match=r"row 101: got '?") as caught:
        fit(pa.array([good, text]), feature)
    assert "class" in str(caught.value)


def test_lists_are_conformed() -> None:
    tags = ListFeature(of=LabelFeature(names=("O", "B")))
    values = pa.array([["B", "O"], [], ["O"]])
    assert fit(values, tags).to_pylist() == [[1, 0], [], [0]]
    assert fit(values.slice(1), tags).to_pylist() == [[], [0]]
    boxes = ListFeature(of=NumberFeature(dtype="float32"))
    assert fit(pa.array([["1", "2"], ["3"]]), boxes).to_pylist() == [[1, 2], [3]]
    words = ListFeature(of=TextFeature())
    assert fit(pa.array([["a"], ["b", ""]]), words).to_pylist() == [["a"], ["b", ""]]


def test_error_in_a_list_names_the_row() -> None:
    tags = ListFeature(of=LabelFeature(names=("O", "B")))
    with pytest.raises(SchemaError, match="row 102: got 'X'"):
        fit(pa.array([["O", "B"], [], ["O", "X"]]), tags)
    with pytest.raises(SchemaError, match="row 101: got none"):
        fit(pa.array([["O"], ["B", None]]), tags)
    with pytest.raises(SchemaError, match="got string, expected lists"):
        fit(pa.array(["O"]), tags)


JPEG, PNG = b"\xff\xd8\xff\xe0 and so on", b"\x89PNG\r\n\x1a\n and so on"


@pytest.mark.parametrize(
    ("feature", "files"),
    [
        (ImageFeature(encoding="jpeg"), [JPEG, JPEG]),
        (ImageFeature(encoding="png"), [PNG]),
        (ImageFeature(encoding="any"), [PNG, JPEG, b"GIF89a", b"BM", b"II*\0", b"RIFF"]),
        (AudioFeature(rate=16000), [b"RIFF....WAVE"]),
        (AudioFeature(rate=16000, encoding="flac"), [b"fLaC...."]),
        (AudioFeature(rate=16000, encoding="mp3"), [b"ID3.", b"\xff\xfb.", b"\xff\xf3."]),
        (AudioFeature(rate=0, encoding="any"), [b"RF64.", b"OggS.", b"FORM.", b"fLaC", b"ID3"]),
    ],
)
def test_files_are_kept_unchanged(feature: Feature, files: list[bytes]) -> None:
    assert fit(pa.array(files, pa.binary()), feature).to_pylist() == files
    assert fit(pa.array([b"", *files], pa.large_binary()).slice(1), feature).to_pylist() == files


@pytest.mark.parametrize(
    ("feature", "wrong", "message"),
    [
        (ImageFeature(encoding="jpeg"), b"<html>", "a JPEG image"),
        (ImageFeature(encoding="png"), b"%PDF-1.7", "a PNG image"),
        (MaskFeature(encoding="png"), b"RIFX", "a PNG image"),
        (ImageFeature(encoding="any"), b"<html>", "an image"),
        (ImageFeature(encoding="jpeg"), b"", "an empty file"),
        (ImageFeature(encoding="jpeg"), b"\xff\xd8", "a JPEG image"),
        (AudioFeature(rate=1), b"ID3", "a WAV file"),
        (AudioFeature(rate=1, encoding="any"), b"\x89PNG", "an audio file"),
    ],
)
def test_wrong_kind_of_file_is_rejected(feature: Feature, wrong: bytes, message: str) -> None:
    good = b"RIFF" if isinstance(feature, AudioFeature) else (PNG, JPEG)[message != "a PNG image"]
    with pytest.raises(SchemaError, match=rf"row 101: .*{message}"):
        fit(pa.array([good, wrong], pa.binary()), feature)
