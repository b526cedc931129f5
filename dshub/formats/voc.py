"""Images with annotations in the XML format of Pascal VOC: one file per image.

Coordinates are those of the files: pixels from 1 to the width and height in VOC itself, and from 0
in files of most other tools. The development kit documents the format:
http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar
from xml.parsers import expat
from xml.sax.saxutils import escape

import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File
from dshub.formats._annotations import (
    BOXES,
    PairedReader,
    Row,
    objects_type,
    paired,
)
from dshub.formats._texts import read_all

LARGEST = 64 << 20  # bytes of an XML file
_DEPTH = 64  # levels of elements
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = ("difficult", "truncated", "occluded")
_HINT = "correct or remove the file"


class Reader(PairedReader, frozen=True):
    """Read the parts `image` and `annotations`, which have the same names without extension.

    Folders named like `JPEGImages` and `Annotations` do not matter. The optional part `list` has
    names of images to read, one per line, as in `ImageSets/Main`. An image without a file has no
    objects.

    Columns are `width` and `height`, which are null if the file does not state them, and `objects`
    with the fields `boxes` (xyxy, pixels), `labels` (names of classes), `difficult`, `truncated`
    and `occluded`.
    """

    text_labels: ClassVar[bool] = True
    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("width", pa.int64()),
            ("height", pa.int64()),
            (
                "objects",
                objects_type(
                    {"boxes": BOXES, "labels": pa.list_(pa.string())}
                    | dict.fromkeys(_FLAGS, pa.list_(pa.bool_()))
                ),
            ),
        ]
    )

    def described(self, files: Mapping[str, Sequence[File]]) -> Iterator[tuple[File, Row]]:
        for image, file in paired(files):
            yield image, (parsed(file) if file else _row({}, []))

    def content(self, image: str, row: Row) -> str:
        return _xml(image.rpartition("/")[2], row)


def parsed(file: File) -> Row:
    """Return the columns of an annotation file.

    Raises:
        ReadError: the file is not an annotation in XML, or an object has no box.
    """
    content = _Content(file)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = content.start
    parser.EndElementHandler = content.end
    parser.CharacterDataHandler = content.text
    parser.EntityDeclHandler = content.refuse_entity
    try:
        parser.Parse(read_all(file, LARGEST), True)  # noqa: FBT003  # the last piece
    except expat.ExpatError as error:
        raise ReadError(file=file.name, reason=f"it is not XML: {error}", hint=_HINT) from None
    except (ValueError, LookupError) as error:  # an encoding that expat does not know
        raise ReadError(file=file.name, reason=f"it cannot be decoded: {error}") from None
    return _row(content.size, [content.object(i) for i in range(len(content.objects))])


class _Content:
    """Elements of an annotation file, collected by a parser that expands no entities."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._path: list[str] = []
        self._value = ""
        self.size: dict[str, int] = {}
        self.objects: list[dict[str, str]] = []

    def start(self, name: str, _: Mapping[str, str]) -> None:
        self._path.append(name)
        self._value = ""
        if len(self._path) > _DEPTH:
            self._refuse(f"it has more than {_DEPTH} levels of elements")
        if len(self._path) == 1 and name != "annotation":
            self._refuse(f"its root element is {name[:40]!r}, not 'annotation'")
        if self._path[1:] == ["object"]:
            self.objects.append({})

    def text(self, value: str) -> None:
        self._value += value

    def end(self, name: str) -> None:
        place, value = self._path[1:], self._value.strip()
        if place[:1] == ["object"] and (len(place) == 2 or place[1:-1] == ["bndbox"]):
            self.objects[-1].setdefault(name, value)
        elif place[:1] == ["size"] and name in {"width", "height"} and value.isdigit():
            self.size[name] = int(value[:9])
        self._path.pop()
        self._value = ""

    def refuse_entity(self, *_: object) -> None:
        self._refuse("it defines an entity, which annotations do not need")

    def object(self, number: int) -> dict[str, Any]:
        """Return the box, label and flags of an object."""
        values, where = self.objects[number], f"object {number + 1:,}"
        try:
            box = [float(values[corner]) for corner in _CORNERS]
        except (KeyError, ValueError):
            self._refuse(f"{where} has no bndbox with the numbers {', '.join(_CORNERS)}")
        if not all(map(isfinite, box)) or not values.get("name"):
            self._refuse(f"{where} has no name, or infinite numbers")
        flags = {flag: values.get(flag, "0").lower() in {"1", "true", "yes"} for flag in _FLAGS}
        return {"boxes": box, "labels": values["name"], **flags}

    def _refuse(self, reason: str) -> Any:
        raise ReadError(file=self._file.name, reason=reason, hint=_HINT)


def _row(size: Mapping[str, int], objects: Sequence[Mapping[str, Any]]) -> Row:
    fields = ("boxes", "labels", *_FLAGS)
    return {
        "width": size.get("width") or None,  # some tools write 0 for an unknown size
        "height": size.get("height") or None,
        "objects": {name: [item[name] for item in objects] for name in fields},
    }


def _xml(name: str, row: Mapping[str, Any]) -> str:
    objects = row["objects"]
    lines = [f"<annotation><filename>{escape(name)}</filename><size>"]
    lines += [f"<{side}>{row[side]}</{side}>" for side in ("width", "height")]
    lines.append("<depth>3</depth></size>")
    for i, (label, box) in enumerate(zip(objects["labels"], objects["boxes"], strict=True)):
        lines.append(f"<object><name>{escape(label)}</name><bndbox>")
        lines += [
            f"<{corner}>{value!r}</{corner}>" for corner, value in zip(_CORNERS, box, strict=True)
        ]
        lines.append("</bndbox>")
        lines += [f"<{flag}>{int(objects[flag][i])}</{flag}>" for flag in _FLAGS]
        lines.append("</object>")
    return "\n".join([*lines, "</annotation>\n"])
