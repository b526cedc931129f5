"""Croissant's fields as features, and its enumerations as the classes of labels."""

from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dshub.catalog.croissant.reading import Note, own, term
from dshub.catalog.croissant.vocabulary import AUDIO_TYPES, FEATURE, IMAGE_TYPES, WIDTHS

if TYPE_CHECKING:
    from mlcroissant import Field, Metadata, RecordSet

Content = dict[str, Any]

_MOST = 500_000  # values of enumerations, again for each field that refers to them
_NAMES = ("name", "label", "title")  # columns of an enumeration that hold names
_DTYPES = {name.removeprefix("cr:"): dtype for dtype, name in WIDTHS.items()}
_SCALARS: dict[str, Content] = {
    **{kind: {"kind": "text"} for kind in ("Text", "URL", "Date", "DateTime", "Time")},
    **{kind: {"kind": "number", "dtype": dtype} for kind, dtype in _DTYPES.items()},
    "Integer": {"kind": "number", "dtype": "int64"},
    "Float": {"kind": "number", "dtype": "float64"},
    "Number": {"kind": "number", "dtype": "float64"},
    "Boolean": {"kind": "label", "names": ["false", "true"]},
}
_AUDIO_ENCODINGS = {media: name for name, media in AUDIO_TYPES.items()}
_AUDIO_ENCODINGS |= {"audio/x-wav": "wav", "audio/x-flac": "flac"}


def types(node: "Field | RecordSet") -> list[str]:
    """The data types of a node, without namespaces."""
    return [term(str(item)) for item in node.data_types or ()]


class Enumerations(Container[str]):
    """The record sets of a document that list classes; contains their `@id`s."""

    def __init__(self, metadata: "Metadata", notes: list[Note]) -> None:
        self._notes, self._values = notes, 0
        self._sets = {
            node.uuid: node
            for node in metadata.record_sets
            if "Enumeration" in types(node) or node.is_enumeration
        }
        self._owners = {field.uuid: node for node in self._sets.values() for field in node.fields}

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._sets

    def of(self, field: "Field") -> Content | None:
        """Names, codes and first number of the classes that a field refers to, if it does."""
        target = field.references.field
        if target not in self._owners:
            return None
        return self._classes(self._owners[target], target, field.uuid)

    def named(self, column: str) -> Content | None:
        """The classes in a record set of the column's name, for documents of ours."""
        for identifier, node in self._sets.items():
            if term(identifier) == column:
                return self._classes(node, f"{identifier}/number", identifier)
        return None

    def _classes(self, node: "RecordSet", key: str, place: str) -> Content | None:
        """The classes of a record set.

        Args:
            node: the record set.
            key: the `@id` of the column that is referred to, which has what the files hold.
            place: the `@id` for notes.
        """
        rows = node.data or []
        self._values += len(rows) * len(node.fields)
        if self._values > _MOST:
            raise OverflowError("its fields have more classes than a manifest can hold")
        names = [field.uuid for field in node.fields]
        columns = {name: [row.get(name, row.get(term(name))) for row in rows] for name in names}
        if not rows or key not in columns:
            self._notes.append(Note(place, f"its classes are not in the document: {node.uuid}"))
            return None
        numbers: list[Any] = next((found for found in columns.values() if _all(int, found)), [])
        if numbers:
            order = sorted(range(len(rows)), key=numbers.__getitem__)
            columns = {name: [found[i] for i in order] for name, found in columns.items()}
            numbers = sorted(numbers)
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                self._notes.append(Note(place, f"its classes have gaps in numbers: {node.uuid}"))
                return None
        return _named(columns, key) | ({"first": numbers[0]} if any(numbers[:1]) else {})


def _named(columns: dict[str, list[Any]], key: str) -> Content:
    """The names of classes, and their codes where files hold others."""
    written = {name: found for name, found in columns.items() if _all(str, found)}
    titled = [name for name in written if term(name) in _NAMES]
    title = next(iter(titled), key if key in written else next(iter(written), key))
    names = [str(value) for value in columns[title]]
    codes = written[key] if key in written and key != title else []
    codes = codes or next((found for name, found in written.items() if term(name) == "code"), [])
    return {"names": names} | ({"codes": codes} if codes and codes != names else {})


def _all(kind: type, values: Sequence[Any]) -> bool:
    return all(type(value) is kind for value in values)


class ImportedFeatures:
    """The features that fields are, with the classes that they refer to.

    Args:
        metadata: of the document, with its enumerations.
        notes: gets what is not understood.

    Attributes:
        enumerations: the record sets that are classes rather than rows.
    """

    def __init__(self, metadata: "Metadata", notes: list[Note]) -> None:
        self._notes = notes
        self.enumerations = Enumerations(metadata, notes)

    def feature(self, field: "Field", encodings: Sequence[str]) -> Content | None:
        """A field as a manifest has it; None where it has no such feature."""
        classes = self.enumerations.of(field)
        if content := own(field, FEATURE):
            return _with_classes(content, classes or self.enumerations.named(term(field.uuid)))
        scalar = self._scalar(field, classes, encodings)
        shape = tuple(field.array_shape_tuple or ((-1,) if field.repeated else ()))
        if scalar is None or not shape:
            return scalar
        array = next(_arrays(scalar, shape), None)
        if array is None:
            self._note(field, f"there is no feature for {scalar['kind']} of the shape {shape}")
        return array

    def _scalar(
        self, field: "Field", classes: Content | None, encodings: Sequence[str]
    ) -> Content | None:
        kinds = types(field)
        widths = [{"dtype": _DTYPES[kind]} for kind in kinds if kind in _DTYPES]
        if classes is not None:
            return {"kind": "label", **classes}
        if "Label" in kinds:
            self._note(field, "the classes of the label are not in the document")
        if "ImageObject" in kinds:
            known = [name for name, media in IMAGE_TYPES.items() if media in encodings]
            encoding = known[0] if len(known) == 1 else "any"
            return {"kind": "image", "encoding": encoding, **(widths[0] if widths else {})}
        if "AudioObject" in kinds:
            return self._audio(field, encodings)
        scalar = next((_SCALARS[kind] for kind in kinds if kind in _SCALARS), None)
        if scalar is None:
            self._note(field, f"its data type is not understood: {', '.join(kinds) or 'none'}")
            return None
        return scalar | (widths[0] if widths and scalar["kind"] == "number" else {})

    def _audio(self, field: "Field", encodings: Sequence[str]) -> Content | None:
        source = field.source
        rates = [source.sampling_rate, *(item.sampling_rate for item in source.transforms)]
        rate = next((item for item in rates if item), None)
        encoding = next(
            (_AUDIO_ENCODINGS[item] for item in encodings if item in _AUDIO_ENCODINGS), None
        )
        if encoding is None or rate is None:
            self._note(field, "audio needs a sampling rate, and files of WAV or FLAC")
            return None
        return {"kind": "audio", "rate": rate, "encoding": encoding}

    def _note(self, field: "Field", message: str) -> None:
        self._notes.append(Note(field.uuid, message))


def _arrays(scalar: Content, shape: tuple[int, ...]) -> Iterator[Content]:
    """The features for several values in a row: an array of numbers or pixels, or a list."""
    kind, inner = scalar["kind"], shape[1:]
    fixed = min(shape) > 0
    if kind == "image" and len(shape) == 3 and fixed and "dtype" in scalar:
        yield scalar | {"shape": list(shape), "encoding": "raw"}
    if kind == "number" and fixed:
        yield scalar | {"shape": list(shape)}
    if kind == "number" and inner and min(inner) > 0:
        yield {"kind": "list", "of": scalar | {"shape": list(inner)}}
    if kind in {"label", "number", "text"} and not inner:
        yield {"kind": "list", "of": scalar}


def _with_classes(content: Content, classes: Content | None) -> Content:
    """A feature of ours, whose classes stand elsewhere in the document."""
    inner = content.get("of")
    if isinstance(inner, dict):
        return content | {"of": _with_classes(inner, classes)}
    return content | (classes or {}) if content.get("kind") == "label" else content
