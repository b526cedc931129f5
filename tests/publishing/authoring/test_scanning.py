import io
import time
from pathlib import Path

import pytest
from PIL import Image

from dshub.catalog.features import ImageFeature, LabelFeature, NumberFeature, TextFeature
from dshub.errors import DshubError, ReadError
from dshub.publishing.authoring.scanning import renamed
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New


def test_columns_can_have_any_name(new: New, data: Path) -> None:
    """Invalid names are replaced by unique valid ones."""
    header = ',"A ""b""",a b,größe,価格,text\n'
    write_text(data / "train.csv", header + "7,1,2,3,4,x\n1,2,3,4,5,y\n")
    result = new(data)
    assert list(result.manifest.features) == [
        "index",
        "a_b",
        "a_b_2",
        "grosse" if "grosse" in result.manifest.features else "groe",
        "column_5",
        "text",
    ]
    assert list(result["train"][1].values()) == [1, 2, 3, 4, 5, "y"]


def test_splits_can_lack_columns_but_must_share_one(new: New, data: Path) -> None:
    """A test set can lack labels; a file without a common column is an error."""
    write_text(data / "train.csv", "text,label\na,x\nb,y\nc,x\nd,y\n")
    write_text(data / "test.csv", "text\nfirst\nsecond\n")
    result = new(data)
    assert result.manifest.splits["test"].without == ("label",)
    assert list(result["test"]["text"][:]) == ["first", "second"]
    assert result.doubts("test has no column label")
    write_text(data / "test.csv", "other,columns\n1,2\n")
    with pytest.raises(DshubError, match="split train has no column in common with test"):
        new(data, "--force")


def test_error_names_a_malformed_line_late_in_the_file(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a,b\n" + "1,2\n" * 50_000 + "1,2,3\n")
    with pytest.raises(ReadError, match=r"train\.csv: line 50,002"):
        new(data)


def test_exif_orientation_swaps_height_and_width(new: New, data: Path) -> None:
    for name in ("a", "b"):
        image = Image.new("RGB", (9, 4), "red")
        exif = image.getexif()
        exif[0x0112] = 6
        sink = io.BytesIO()
        image.save(sink, "jpeg", exif=exif)
        (data / name).mkdir()
        (data / name / "1.jpg").write_bytes(sink.getvalue())
    result = new(data)
    assert result.manifest.features["image"] == ImageFeature(shape=(9, 4, 3), encoding="jpeg")
    assert result["train"][0]["image"].shape == (9, 4, 3)


def test_row_without_a_label_has_no_class(new: New, data: Path) -> None:
    write_text(data / "train.csv", "text,label\na,pos\nb,\nc,pos\nd,neg\n")
    result = new(data)
    assert result.doubts("no class") == ["column 'label': 1 of 4 rows have no class"]
    assert result.manifest.features["label"] == LabelFeature(names=("neg", "pos"), optional=True)
    assert [row["label"] for row in result["train"]] == [1, None, 1, 0]
    assert result.manifest.splits["train"].figures == {"label-counts": (1, 2)}
    write_text(data / "train.csv", "text,label\na,pos\nb,neg\nc,pos\nd,neg\n")
    assert new(data, "--force").doubts("no class") == []


def test_many_columns_are_renamed_in_linear_time() -> None:
    began = time.process_time()
    columns = renamed([f"A {i}?!" for i in range(20_000)])
    assert len(set(columns.values())) == 20_000
    assert time.process_time() - began < 1


def test_options_name_columns_as_the_file_does(new: New, data: Path) -> None:
    write_text(data / "train.csv", "Passenger Id,Größe,Survived\n1,2,0\n2,3,1\n")
    features = new(data, "--label", "Survived", "--text", "Passenger Id")["train"].features
    kinds = [TextFeature, NumberFeature, LabelFeature]
    assert [type(feature) for feature in features.values()] == kinds
