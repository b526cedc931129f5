"""Croissant's enumerations as the classes of labels."""

import re
from collections.abc import Container, Sequence
from typing import Any

from dshub.catalog.croissant.reading import (
    Node,
    Note,
    flag,
    last,
    many,
    nodes,
    one,
    place,
    references,
    text,
    texts,
)
from dshub.catalog.croissant.vocabulary import FEATURE, PICTURES, SOUNDS, WIDTHS

Content = dict[str, Any]

_MOST = 2_000_000  # values of enumerations, again for each field that refers to them
_NAMES = ("name", "label", "title")  # what the column of an enumeration is called that has names


class Enumerations(Container[str]):
    """The record sets of a document that say what classes there are; contains their `@id`s."""

    def __init__(self, document: Node, notes: list[Note]) -> None:
        self._notes = notes
        self._nodes = {
            place(node): node
            for node in nodes(document, "recordSet")
            if "Enumeration" in texts(node, "dataType") or "Enumeration" in texts(node, "@type")
        }
        self._by_column: dict[str, tuple[str, Node]] = {}
        for identifier, node in self._nodes.items():
            self._by_column.setdefault(last(identifier), (identifier, node))
        self._values = 0
        self._owners = {
            place(field): node for node in self._nodes.values() for field in nodes(node, "field")
        }

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._nodes

    def of(self, field: Node) -> Content | None:
        """Names, codes and first number of the classes that a field refers to, if it does."""
        for target in targets(field):
            if target in self._owners:
                return self._classes_of(self._owners[target], target, field)
        return None

    def named(self, column: str) -> Content | None:
        """The classes of a column of ours, to which nothing refers where a file's text is unknown.

        Their record set has the column's name.
        """
        if column not in self._by_column:
            return None
        identifier, node = self._by_column[column]
        return self._classes_of(node, f"{identifier}/number", node)

    def _classes_of(self, node: Node, key: str, field: Node) -> Content | None:
        rows = [row for row in many(node, "data") if isinstance(row, dict)]
        self._values += len(rows) * len(nodes(node, "field"))
        if self._values > _MOST:
            raise OverflowError("its fields have more classes than a manifest can hold")
        names = {place(item): last(place(item)) for item in nodes(node, "field")}
        columns = {
            name: [row.get(name, row.get(short)) for row in rows] for name, short in names.items()
        }
        if not rows or key not in columns:
            self._note(field, f"its classes are not within the document: {place(node)}")
            return None
        numbers: list[Any] = next((found for found in columns.values() if _numbers(found)), [])
        if numbers:
            order = sorted(range(len(rows)), key=numbers.__getitem__)
            columns = {name: [found[i] for i in order] for name, found in columns.items()}
            numbers = sorted(numbers)
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                self._note(field, f"the numbers of its classes have gaps: {place(node)}")
                return None
        return _named(columns, key, numbers[0] if numbers else 0)

    def _note(self, node: Node, message: str) -> None:
        self._notes.append(Note(place(node), message))


def targets(field: Node) -> list[str]:
    """The `@id`s of the fields that a field refers to."""
    return [
        target
        for link in nodes(field, "references")
        for target in references(link, "field") or references({"field": link}, "field")
    ]


def _named(columns: dict[str, list[Any]], key: str, first: int) -> Content:
    """Classes out of the columns of an enumeration.

    Args:
        columns: in the order of the classes.
        key: the column that is referred to: it has what the files hold.
        first: the number of the first class.
    """
    written = {name: found for name, found in columns.items() if _texts(found)}
    titled = [name for name in written if last(name) in _NAMES]
    title = next(iter(titled), key if key in written else next(iter(written), key))
    names = [str(value) for value in columns[title]]
    codes = written[key] if key in written and key != title else []
    codes = codes or next((found for name, found in written.items() if last(name) == "code"), [])
    found: Content = {"names": names}
    if codes and codes != names:
        found["codes"] = codes
    return found | ({"first": first} if first else {})


def _texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


_DTYPES = {name.removeprefix("cr:"): dtype for dtype, name in WIDTHS.items()}
_SCALARS: dict[str, Content] = {
    **{kind: {"kind": "text"} for kind in ("Text", "URL", "Date", "DateTime", "Time")},
    **{kind: {"kind": "number", "dtype": dtype} for kind, dtype in _DTYPES.items()},
    "Integer": {"kind": "number", "dtype": "int64"},
    "Float": {"kind": "number", "dtype": "float64"},
    "Number": {"kind": "number", "dtype": "float64"},
    "Boolean": {"kind": "label", "names": ["false", "true"]},
}


class ImportedFeatures:
    """What fields are, with the classes that they refer to.

    Args:
        document: where the enumerations are.
        notes: what is not understood is added to it.

    Attributes:
        enumerations: the record sets that are classes rather than rows.
    """

    def __init__(self, document: Node, notes: list[Note]) -> None:
        self._notes = notes
        self.enumerations = Enumerations(document, notes)

    def feature(self, field: Node, encodings: Sequence[str]) -> Content | None:
        """A field as a manifest has it; None where it is of no kind that there is."""
        own = field.get(FEATURE)
        classes = self.enumerations.of(field)
        if isinstance(own, dict):
            named = self.enumerations.named(last(place(field)))
            return _with_classes(own, classes or named)
        kinds, shape = texts(field, "dataType"), _shape(field)
        found = self._scalar(field, kinds, classes, encodings)
        if found is None or not shape:
            return found
        return self._array(field, found, shape)

    def _scalar(
        self, field: Node, kinds: Sequence[str], classes: Content | None, encodings: Sequence[str]
    ) -> Content | None:
        if classes is not None:
            return {"kind": "label", **classes}
        if "Label" in kinds:
            self._note(field, "the classes of the label are not in the document")
        if "ImageObject" in kinds:
            return _image(kinds, encodings)
        if "AudioObject" in kinds:
            return self._audio(field, encodings)
        found = next((_SCALARS[kind] for kind in kinds if kind in _SCALARS), None)
        if found is None:
            self._note(field, f"its data type is not understood: {', '.join(kinds) or 'none'}")
            return None
        widths = [{"dtype": _DTYPES[kind]} for kind in kinds if kind in _DTYPES]
        return found | (widths[0] if widths and found["kind"] == "number" else {})

    def _audio(self, field: Node, encodings: Sequence[str]) -> Content | None:
        source = one(field, "source")
        rate = text(source, "samplingRate") or text(one(source, "transform"), "samplingRate")
        kinds = {"audio/x-wav": "wav", "audio/x-flac": "flac"}
        kinds |= {media: name for name, media in SOUNDS.items()}
        encoding = next((kinds[item] for item in encodings if item in kinds), None)
        if encoding is None or not re.fullmatch(r"[0-9]{1,9}", rate):
            self._note(field, "a recording is read with its sampling rate, from WAV or FLAC")
            return None
        return {"kind": "audio", "rate": int(rate), "encoding": encoding}

    def _array(self, field: Node, found: Content, shape: tuple[int, ...]) -> Content | None:
        """A feature of several values: an array of numbers or pixels, or a list."""
        if found["kind"] == "image" and len(shape) == 3 and min(shape) > 0 and "dtype" in found:
            return found | {"shape": list(shape), "encoding": "raw"}
        if found["kind"] == "number" and min(shape) > 0:
            return found | {"shape": list(shape)}
        rest = shape[1:]
        if rest and (found["kind"] != "number" or min(rest) < 1):
            self._note(field, f"an array of {found['kind']} of the shape {shape} has no feature")
            return None
        if found["kind"] in {"label", "number", "text"}:
            return {"kind": "list", "of": found | ({"shape": list(rest)} if rest else {})}
        self._note(field, f"several of {found['kind']} in a row are no feature")
        return None

    def _note(self, node: Node, message: str) -> None:
        self._notes.append(Note(place(node), message))


def _with_classes(own: Content, classes: Content | None) -> Content:
    """A feature of ours, whose classes stand elsewhere."""
    inner = own.get("of")
    if isinstance(inner, dict):
        return own | {"of": _with_classes(inner, classes)}
    return own | (classes or {}) if own.get("kind") == "label" else own


def _image(kinds: Sequence[str], encodings: Sequence[str]) -> Content:
    dtype = next((_DTYPES[kind] for kind in kinds if kind in _DTYPES), None)
    known = [name for name, media in PICTURES.items() if media in encodings]
    found: Content = {"kind": "image", "encoding": known[0] if len(known) == 1 else "any"}
    return found | {"dtype": dtype} if dtype else found


def _shape(field: Node) -> tuple[int, ...]:
    """Lengths of an array, -1 for any; empty for a single value."""
    if not flag(field, "isArray") and not flag(field, "repeated"):
        return ()
    lengths = re.findall(r"-?[0-9]{1,9}", text(field, "arrayShape"))
    return tuple(map(int, lengths)) or (-1,)
