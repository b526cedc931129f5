import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import Dataset
from dshub.catalog.features import (
    AudioFeature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import DshubError, ReadError
from dshub.export import export
from tests.independent.own_files import write_audio, write_image, write_text
from tests.publishing.authoring.conftest import New


def test_quoting_detected_in_one_split_applies_to_all_splits(new: New, data: Path) -> None:
    write_text(data / "train.tsv", 'text\tn\n"a ""quoted"" tab\tin it"\t1\nb\t2\n')
    write_text(data / "test.tsv", "text\tn\nplain\t3\n")
    result = new(data)
    assert all("quoting" not in split.reader for split in result.manifest.splits.values())
    assert result["train"][0] == {"text": 'a "quoted" tab\tin it', "n": 1}
    write_text(data / "train.csv", 'text,n\n"a,1\nb,2\n')
    write_text(data / "test.csv", "text,n\nplain,3\n")
    for name in ("train.tsv", "test.tsv"):
        (data / name).unlink()
    result = new(data, "--force")
    assert {split.reader["quoting"] for split in result.manifest.splits.values()} == {False}
    assert list(result["train"]["text"][:]) == ['"a', "b"]


def test_files_of_a_split_must_have_the_same_columns(new: New, data: Path) -> None:
    write_text(data / "part-1.csv", "id,grade\n1,2.5\n")
    write_text(data / "part-2.csv", "id,grade\n2,3.5\n")
    result = new(data)
    assert result["train"]["grade"][:].tolist() == [2.5, 3.5]
    assert result.doubts("all rows go to train")
    write_text(data / "part-2.csv", "id,mark\n2,3.5\n")
    with pytest.raises(DshubError, match=r"part-1\.csv, .*part-2\.csv differ in columns"):
        new(data, "--force")


def test_parquet_columns_keep_their_types(new: New, data: Path) -> None:
    """Shards of a split are concatenated, and image structs of Hugging Face become images."""
    write_image(data / "a.png", 1)
    png = (data / "a.png").read_bytes()
    (data / "a.png").unlink()
    table = pa.table(
        {
            "image": [{"bytes": png, "path": "a.png"}] * 6,
            "label": [1, 2, 3] * 2,
            "weight": pa.array([0.5] * 6, pa.float32()),
            "box": pa.array([[1, 2]] * 6, pa.list_(pa.int16())),
            "age": [None, 1, 2, 3, 4, 5],
            "Sentence": [f"s {i}" for i in range(6)],
        }
    )
    (data / "data").mkdir()
    pq.write_table(table.slice(0, 4), data / "data" / "train-00000-of-00002.parquet")
    pq.write_table(table.slice(4), data / "data" / "train-00001-of-00002.parquet")
    pq.write_table(table.slice(1, 2), data / "data" / "test-00000-of-00001.parquet")
    result = new(data)
    assert result.manifest.features == {
        "image": ImageFeature(encoding="png"),
        "label": LabelFeature(names=("1", "2", "3"), first=1),
        "weight": NumberFeature(dtype="float32"),
        "box": ListFeature(of=NumberFeature(dtype="int16")),
        "age": NumberFeature(dtype="int64", optional=True),
        "sentence": TextFeature(),
    }
    assert [row["age"] for row in result["train"]] == [None, 1, 2, 3, 4, 5]
    assert result["train"]["label"][:].tolist() == [0, 1, 2, 0, 1, 2]
    assert result["test"][1]["sentence"] == "s 2"
    assert result["test"][1]["box"].tolist() == [1, 2]
    assert result["test"][1]["image"].shape == (8, 9, 3)


def test_parquet_column_of_audio_is_recognized(new: New, data: Path) -> None:
    """RIFF begins WAV files and WebP images."""
    for number, rate in enumerate([8000, 16000, 16000]):
        write_audio(data / f"{number}.wav", number, rate)
    files = [(data / f"{number}.wav").read_bytes() for number in range(3)]
    pq.write_table(pa.table({"clip": files[1:]}), data / "one.parquet")
    pq.write_table(
        pa.table({"clip": [{"bytes": item, "path": None} for item in files]}),
        data / "two.parquet",
    )
    same = new(data / "one.parquet")
    assert same.manifest.features == {"clip": AudioFeature(rate=16000)}
    assert same["train"][0]["clip"].tolist() == np.frombuffer(files[1][44:], "<i2").tolist()
    several = new(data / "two.parquet", "--force", "--name", "two")
    assert several.manifest.features == {"clip": AudioFeature(rate=0)}
    assert several.doubts("8,000 Hz, 16,000 Hz")
    assert len(several["train"][2]["clip"]) == 100
    pq.write_table(pa.table({"clip": [files[0], files[1][:-2]]}), data / "three.parquet")
    with pytest.raises(ReadError, match=r"column clip, .* header promises 200 bytes"):
        new(data / "three.parquet", "--force", "--name", "three")


def test_text_file_has_one_row_per_line(new: New, data: Path) -> None:
    """Commas are text, and empty lines are skipped."""
    write_text(data / "train.txt", "one, two\n\nthree\n")
    write_text(data / "valid.txt", "four, and\n")
    result = new(data)
    assert list(result["train"]["text"][:]) == ["one, two", "three"]
    assert list(result["validation"]["text"][:]) == ["four, and"]


def test_compressed_tables_stay_compressed(new: New, data: Path) -> None:
    (data / "train.csv.gz").write_bytes(gzip.compress(b"n,word\n1,a\n2,b\n"))
    result = new(data)
    assert list(result.answer["resources"]) == ["train"]
    assert result["train"]["n"][:].tolist() == [1, 2]


def test_identical_files_are_reported(new: New, data: Path) -> None:
    """A test set identical to the training set is usually a mistake."""
    for name in ("train", "test"):
        write_text(data / f"{name}.csv", "n,word\n1,a\n2,b\n")
    assert new(data).doubts("have the same content")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_class_names_in_metadata_are_kept(new: New, data: Path, form: str) -> None:
    """Files of `dshub export` and of Hugging Face `datasets` name their classes."""
    label = LabelFeature(names=("neg", "neutral", "pos"))
    source = Dataset.from_arrays({"y": [2, 0], "x": [1, 2]}, features={"y": label})
    export({"train": source}, form, data)
    result = new(data)
    assert result.manifest.features["y"] == label
    assert result["train"]["y"].tolist() == [2, 0]


def test_class_that_the_metadata_lack_is_a_number(new: New, data: Path) -> None:
    feature = {"names": ["a", "b"], "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"y": feature}}})}
    table = pa.table({"y": [0, -1]}).replace_schema_metadata(metadata)
    pq.write_table(table, data / "train.parquet")
    result = new(data)
    assert result.manifest.features["y"] == NumberFeature(dtype="int64")
    assert result.doubts("-1 is not one of its 2 classes")


def test_encoding_is_told_and_can_be_stated(new: New, data: Path) -> None:
    (data / "train.csv").write_bytes("Höhe,Preis €\n1,2\n".encode("cp1252"))
    (data / "test.csv").write_bytes("Höhe,Preis €\n3,4\n".encode("cp1252"))
    result = new(data)
    assert result.doubts("--encoding") == [
        f"{name}.csv is not UTF-8 and is read as cp1252; use --encoding to change this"
        for name in ("train", "test")
    ]
    assert result["train"][0] == {"hohe": 1, "preis": 2}
    stated = new(data, "--encoding", "latin-1", "--force")
    assert stated.manifest.splits["test"].reader["encoding"] == "latin-1"
    assert not stated.doubts("--encoding")


def test_ascii_file_takes_the_encoding_of_the_others(new: New, data: Path) -> None:
    (data / "train-1.csv").write_bytes(b"a,b\n1,x\n")
    (data / "train-2.csv").write_bytes("a,b\n2,é\n".encode("utf-16"))
    (data / "train-3.csv").write_bytes("a,b\n3,é\n".encode("utf-16"))
    with pytest.raises(DshubError, match="not utf-16"):  # UTF-16 is not a superset of ASCII
        new(data)
    for i in (2, 3):
        (data / f"train-{i}.csv").write_bytes(f"a,b\n{i},é\n".encode("cp1252"))
    assert list(new(data)["train"]["b"]) == ["x", "é", "é"]
    (data / "train-3.csv").write_bytes("a,b\n3,é\n".encode())
    with pytest.raises(DshubError, match=r"several encodings: .*train-2\.csv is cp1252, .*train-3"):
        new(data, "--force")


def test_decimal_commas_are_an_option(new: New, data: Path) -> None:
    write_text(data / "train.csv", "Preis €;name\n1,5;x\n1.234,5;y\nNA;z\n")
    (doubt,) = new(data).doubts("--decimal-comma")
    assert doubt.endswith("if it is, use --decimal-comma preis")
    result = new(data, "--decimal-comma", "preis", "--force")
    assert result["train"]["preis"][:2].tolist() == [1.5, 1234.5]
    assert not result.doubts("--decimal-comma")


def test_delimiter_is_told_and_can_be_stated(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a;b,c\nx;2,y\nz;5,t\n")
    result = new(data)
    assert result.doubts("--delimiter") == [
        "fields are separated by ';', but ',' would also fit; use --delimiter to change this"
    ]
    assert new(data, "--delimiter", ",", "--force")["train"][0] == {"a_b": "x;2", "c": "y"}
    write_text(data / "train.csv", "a b\tc\nd e\tf\n")
    assert new(data, "--delimiter", "tab", "--force")["train"][0] == {"a_b": "d e", "c": "f"}


def test_numeric_header_is_told(new: New, data: Path) -> None:
    write_text(data / "train.csv", "country,2019,2020\nA,1.5,1.6\nB,2.5,2.6\n")
    result = new(data)
    assert result["train"][1] == {"country": "B", "2019": 2.5, "2020": 2.6}
    assert result.doubts("--no-header")


def test_long_fields_and_headers_are_read(new: New, data: Path) -> None:
    columns = [f"gene_{i}" for i in range(9000)]
    text = "x" * 200_000
    write_text(data / "train.csv", f"{','.join(columns)}\n{','.join(['1'] * 9000)}\n")
    assert len(new(data)["train"].features) == 9000
    write_text(data / "train.csv", f'id,text\n1,"{text}"\n2,b\n')
    assert new(data, "--force")["train"][0] == {"id": 1, "text": text}


@pytest.mark.parametrize(
    ("line", "text"),
    [('5" pipe\t2', '5" pipe'), ('"begin\t2', '"begin'), ('"tab\there"\t2', "tab\there")],
    ids=["inch", "lone", "csv"],
)
def test_quotes_can_appear_late(new: New, data: Path, line: str, text: str) -> None:
    """The first lines of a file do not show how its quotes are meant."""
    rows = "".join(f"text {i}\t1\n" for i in range(9000))
    write_text(data / "train.tsv", f"text\tn\n{rows}{line}\nend\t3\n")
    assert new(data)["train"][9000] == {"text": text, "n": 2}


def test_delimiters_at_the_end_of_lines_add_no_column(new: New, data: Path) -> None:
    write_text(data / "train.csv", 'a,b\n1,"x, y",\n2,z,\n')
    assert new(data)["train"][0] == {"a": 1, "b": "x, y"}


def test_libsvm_files_are_read(new: New, data: Path) -> None:
    """Splits have the same features, even if the last ones are 0 in all rows of a split."""
    write_text(data / "train.libsvm", "-1 3:1 11:1\n+1 5:1 7:0.5\n-1 1:2\n")
    write_text(data / "test.libsvm", "+1 1:-3e-1\n\n-1 2:1\n")
    result = new(data)
    assert result.manifest.features["label"].names == ("-1", "1")
    assert result["train"]["label"][:].tolist() == [0, 1, 0]
    expected = np.zeros((3, 11))
    expected[0, [2, 10]], expected[1, 4], expected[1, 6], expected[2, 0] = 1, 1, 0.5, 2
    np.testing.assert_array_equal(result["train"]["values"][:], expected)
    assert result["test"]["values"][:].shape == (2, 11)
    write_text(data / "test.libsvm", "+1 1:-3e-1\n" * 50 + "oops\n")
    with pytest.raises(ReadError, match=r"test\.libsvm: line 51 is not `label index:value …`"):
        new(data, "--force")
    write_text(data / "test.libsvm", "+1 0:5 1:6\n")
    with pytest.raises(
        ReadError, match=r"test\.libsvm: line 1 has indices that do not ascend from 1"
    ):
        new(data, "--force")
    write_text(data / "test.libsvm", "+1 9999999:5\n")
    with pytest.raises(ReadError, match="it has 9,999,999 features"):
        new(data, "--force")
