import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub.catalog.features import (
    AudioFeature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import DshubError, ReadError
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
        "sentence": TextFeature(),
    }
    assert result.doubts("1 of 8 rows have no value")
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
