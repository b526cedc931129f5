"""Read annotations in the format of Pascal VOC, written here as XML."""

from typing import Any, ClassVar

import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ReadError
from dshub.testing.readers import ReaderTests
from tests.formats.annotated import images, objects, read, rows_of

VOC = {"format": "voc"}

TWO = b"""<?xml version="1.0"?>
<annotation>
  <folder>VOC2007</folder><filename>other.jpg</filename>
  <size><width>353</width><height>500</height><depth>3</depth></size>
  <object>
    <name>dog</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
    <bndbox><xmin>48</xmin><ymin>240</ymin><xmax>195</xmax><ymax>371</ymax></bndbox>
    <part><name>head</name>
      <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></part>
  </object>
  <object>
    <part><name>hand</name>
      <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></part>
    <name> person </name><difficult>1</difficult>
    <bndbox><xmax>352.5</xmax><xmin>8.25</xmin><ymin>12</ymin><ymax>498</ymax></bndbox>
  </object>
</annotation>
"""


class TestVoc(ReaderTests):
    """Images can hold any bytes, so damage cannot be detected."""

    parts: ClassVar = {"image": ("JPEGImages/*.jpg",), "annotations": ("Annotations/*.xml",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(VOC)

    def rows(self, count: int) -> Any:
        fields = objects(count, pa.string())
        flags = [[i % 3 == 0] * len(row) for i, row in enumerate(fields["labels"])]
        fields |= dict.fromkeys(("difficult", "truncated", "occluded"), flags)
        columns = {"width": list(range(1, count + 1)), "height": [9] * count}
        return rows_of(formats.create(VOC).schema, columns, fields)  # type: ignore[attr-defined]


def annotation(data: bytes) -> dict[str, Any]:
    """Return the columns of an annotation file."""
    (row,) = read(VOC, image=images("JPEGImages/1.jpg"), annotations={"Annotations/1.xml": data})
    return row


def test_boxes_and_names_of_objects_are_read_without_those_of_parts() -> None:
    row = annotation(TWO)
    assert (row["width"], row["height"]) == (353, 500)
    assert row["objects"] == {
        "boxes": [[48, 240, 195, 371], [8.25, 12, 352.5, 498]],
        "labels": ["dog", "person"],
        "difficult": [False, True],
        "truncated": [True, False],
        "occluded": [False, False],
    }


def test_size_can_be_unknown() -> None:
    row = annotation(b"<annotation><size><width>0</width></size></annotation>")
    assert (row["width"], row["height"]) == (None, None)
    assert row["objects"]["boxes"] == []


def test_image_without_annotations_has_no_objects() -> None:
    rows = read(VOC, image=images("1.jpg", "2.jpg"), annotations={"2.xml": TWO})
    assert [row["objects"]["labels"] for row in rows] == [[], ["dog", "person"]]


def test_lists_of_image_sets_choose_images() -> None:
    """Lists of a class have a second number."""
    rows = read(
        VOC,
        image=images("JPEGImages/2007_1.jpg", "JPEGImages/2007_2.jpg"),
        annotations={"Annotations/2007_2.xml": TWO},
        list={"ImageSets/Main/val.txt": b"2007_2  1\n"},
    )
    assert [row["width"] for row in rows] == [353]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (TWO[:300], "it is not XML"),
        (TWO.replace(b"annotation>", b"svg>"), "its root element is 'svg'"),
        (TWO.replace(b"<xmax>195</xmax>", b""), "object 1 has no bndbox"),
        (TWO.replace(b"<xmax>352.5", b"<xmax>wide"), "object 2 has no bndbox"),
        (TWO.replace(b"<name>dog", b"<name>"), "object 1 has no name"),
        (b"<annotation>" + b"<a>" * 99, "levels of elements"),
        (TWO.replace(b"1.0", b'1.0" encoding="klingon'), "cannot be decoded|not XML"),
    ],
)
def test_damaged_annotation_is_an_error(data: bytes, reason: str) -> None:
    with pytest.raises(ReadError, match=rf"1\.xml: .*({reason})"):
        annotation(data)


def test_entities_are_refused() -> None:
    """Entities in entities grow exponentially, and external ones read other files."""
    for entity in (b'"lol"', b'SYSTEM "file:///etc/passwd"'):
        bomb = b"<!DOCTYPE annotation [<!ENTITY a " + entity + b">]><annotation>&a;</annotation>"
        with pytest.raises(ReadError, match="defines an entity"):
            annotation(bomb)
