"""Import Croissant's fields as features, and its enumerations as the classes of labels."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dshub.catalog.croissant.reading import Note, term
from dshub.catalog.croissant.vocabulary import AUDIO_TYPES, IMAGE_TYPES, WIDTHS

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


class ImportedFeatures:
    """The features of fields, with the classes that they refer to.

    Attributes:
        enumerations: the `@id`s of record sets that list classes instead of rows.
    """

    def __init__(self, metadata: "Metadata", notes: list[Note]) -> None:
        self._notes, self._values = notes, 0
        sets = [
            node
            for node in metadata.record_sets
            if "Enumeration" in types(node) or node.is_enumeration
        ]
        self.enumerations = {node.uuid for node in sets}
        self._owners = {field.uuid: node for node in sets for field in node.fields}

    def feature(self, field: "Field", encodings: Sequence[str]) -> Content | None:
        """The feature of a field; None if a manifest has no such feature."""
        scalar = self._scalar(field, encodings)
        shape = tuple(field.array_shape_tuple or ((-1,) if field.repeated else ()))
        if scalar is None or not shape:
            return scalar
        array = next(_arrays(scalar, shape), None)
        if array is None:
            self._note(field, f"no feature holds {scalar['kind']} of the shape {shape}")
        return array

    def _scalar(self, field: "Field", encodings: Sequence[str]) -> Content | None:
        kinds = types(field)
        width = next(({"dtype": _DTYPES[kind]} for kind in kinds if kind in _DTYPES), {})
        if classes := self._classes(field):
            return {"kind": "label", **classes}
        if "Label" in kinds:
            self._note(field, "the classes of the label are not in the document")
        if "ImageObject" in kinds:
            known = [name for name, media in IMAGE_TYPES.items() if media in encodings]
            return {"kind": "image", "encoding": known[0] if len(known) == 1 else "any", **width}
        if "AudioObject" in kinds:
            return self._audio(field, encodings)
        scalar = next((_SCALARS[kind] for kind in kinds if kind in _SCALARS), None)
        if scalar is None:
            self._note(field, f"its data type is not understood: {', '.join(kinds) or 'none'}")
            return None
        return scalar | (width if scalar["kind"] == "number" else {})

    def _audio(self, field: "Field", encodings: Sequence[str]) -> Content | None:
        sources = [field.source, *field.source.transforms]
        rate = next((item.sampling_rate for item in sources if item.sampling_rate), None)
        encoding = next(filter(None, map(_AUDIO_ENCODINGS.get, encodings)), None)
        if encoding is None or rate is None:
            self._note(field, "audio needs a sampling rate, and files of WAV or FLAC")
            return None
        return {"kind": "audio", "rate": rate, "encoding": encoding}

    def _classes(self, field: "Field") -> Content | None:
        """Names, codes and first number of the classes that a field refers to, if it does."""
        key = field.references.field
        if key not in self._owners:
            return None
        node = self._owners[key]
        rows = node.data or []
        self._values += len(rows) * len(node.fields)
        if self._values > _MOST:
            raise OverflowError("its fields have more classes than a manifest can hold")
        if not rows:
            self._note(field, f"its classes are not in the document: {node.uuid}")
            return None
        names = [item.uuid for item in node.fields]
        columns = {name: [row.get(name, row.get(term(name))) for row in rows] for name in names}
        numbers: list[Any] = next((item for item in columns.values() if _all(int, item)), [])
        first = min(numbers, default=0)
        if sorted(numbers) != [*range(first, first + len(numbers))]:
            self._note(field, f"its classes have gaps in numbers: {node.uuid}")
            return None
        if numbers:
            order = sorted(range(len(rows)), key=numbers.__getitem__)
            columns = {name: [values[i] for i in order] for name, values in columns.items()}
        return _named(columns, key) | ({"first": first} if first else {})

    def _note(self, field: "Field", message: str) -> None:
        self._notes.append(Note(field.uuid, message))


def _named(columns: dict[str, list[Any]], key: str) -> Content:
    """The names of classes, and their codes if files hold other texts."""
    texts = {name: values for name, values in columns.items() if _all(str, values)}
    titles = [name for name in texts if term(name) in _NAMES]
    title = [*titles, *([key] if key in texts else []), *texts, key][0]
    names = [str(value) for value in columns[title]]
    codes = texts[key] if key in texts and key != title else []
    codes = codes or next((values for name, values in texts.items() if term(name) == "code"), [])
    return {"names": names} | ({"codes": codes} if codes and codes != names else {})


def _all(kind: type, values: Sequence[Any]) -> bool:
    return all(type(value) is kind for value in values)


def _arrays(scalar: Content, shape: tuple[int, ...]) -> Iterator[Content]:
    """The features for several values in a row: an array of numbers or pixels, or a list."""
    kind, inner = scalar["kind"], shape[1:]
    is_fixed = min(shape) > 0
    if kind == "image" and len(shape) == 3 and is_fixed and "dtype" in scalar:
        yield scalar | {"shape": list(shape), "encoding": "raw"}
    if kind == "number" and is_fixed:
        yield scalar | {"shape": list(shape)}
    if kind == "number" and inner and min(inner) > 0:
        yield {"kind": "list", "of": scalar | {"shape": list(inner)}}
    if kind in {"label", "number", "text"} and not inner:
        yield {"kind": "list", "of": scalar}
