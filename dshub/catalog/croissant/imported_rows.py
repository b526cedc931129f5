"""Import the record sets of a Croissant document as splits and features."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dshub.catalog.croissant.imported_files import ImportedFiles
from dshub.catalog.croissant.imported_readers import Column, reading
from dshub.catalog.croissant.reading import Note, key_of, term, text_of
from dshub.catalog.croissant.vocabulary import WIDTHS

if TYPE_CHECKING:
    from mlcroissant import Field, Metadata, RecordSet

Content = dict[str, Any]

_MOST = 500_000  # maximum sum of the columns of all splits
_DTYPES = {name.removeprefix("cr:"): dtype for dtype, name in WIDTHS.items()}
_SCALARS: dict[str, Content] = {
    "ImageObject": {"kind": "image", "encoding": "any"},
    **{kind: {"kind": "text"} for kind in ("Text", "URL", "Date", "DateTime", "Time")},
    **{kind: {"kind": "number", "dtype": dtype} for kind, dtype in _DTYPES.items()},
    "Integer": {"kind": "number", "dtype": "int64"},
    "Float": {"kind": "number", "dtype": "float64"},
    "Number": {"kind": "number", "dtype": "float64"},
    "Boolean": {"kind": "label", "names": ["false", "true"]},
}


class ImportedRows:
    """Splits and features of a document.

    Attributes:
        features: features by key, in the order of the document.
        splits: splits by key, without `rows`, which Croissant does not have.
        used: keys of resources that splits read.
    """

    def __init__(self, metadata: "Metadata", files: ImportedFiles, notes: list[Note]) -> None:
        self._files, self._notes = files, notes
        self.features: dict[str, Content] = {}
        self.splits: dict[str, Content] = {}
        self.used: set[str] = set()
        split_sets = [node for node in metadata.record_sets if "Split" in _types(node)]
        self._split_fields = {field.uuid for node in split_sets for field in node.fields}
        columns: dict[str, set[str]] = {}
        for node in metadata.record_sets:
            if {"Enumeration", "Split"} & set(_types(node)):
                continue
            if node.data and not any(field.source for field in node.fields):
                self._note(node, "rows inside the document are not imported")
            else:
                self._add(node, columns)
        if len(columns) * len(self.features) > _MOST:
            raise OverflowError("it has more record sets and fields than a manifest can contain")
        for split, names in columns.items():
            if without := [name for name in self.features if name not in names]:
                self.splits[split]["without"] = without

    def _add(self, node: "RecordSet", columns: dict[str, set[str]]) -> None:
        fields = [field for field in node.fields if self._is_column(field)]
        sources = Counter(source for field in fields if (source := _source(field)))
        name = key_of(term(node.uuid), self.splits)
        self.splits[name] = {}
        if not sources:
            self._note(node, "none of its fields has a source file")
            return
        source = sources.most_common(1)[0][0]
        split_columns = [column for field in fields if (column := self._column(field, source))]
        columns[name] = {column.key for column in split_columns}
        self.splits[name] = self._split(node, split_columns, source)

    def _split(self, node: "RecordSet", columns: Sequence[Column], source: str) -> Content:
        files = self._files.references(source)
        self.used.update(item.partition(":")[0] for item in files)
        split = reading(columns, self._files.encodings(source))
        if not files:
            self._note(node, f"its source is not supported: {source}")
        if not split:
            self._note(node, f"no reader fits the fields of {source}: write a reader table")
        elif split["reader"]["format"] == "delimited":
            self._note(node, "check that the header of the file has exactly these columns")
        if files:
            split["files"] = {"rows": files[0] if len(files) == 1 else files}
        return split

    def _is_column(self, field: "Field") -> bool:
        """Return whether a field is a column of the rows, and note unsupported fields."""
        names_split = field.references.field in self._split_fields
        if field.value is not None:
            problem = "" if names_split else "constant fields are not imported"
        elif names_split:
            problem = "several splits share a file: give each split its own files"
        elif field.sub_fields:
            problem = "nested fields are not supported"
        else:
            return True
        if problem:
            self._note(field, problem)
        return False

    def _column(self, field: "Field", source: str) -> Column | None:
        where = _source(field)
        if where != source:
            message = f"its source is {where or 'missing'} instead of {source}"
            self._note(field, f"{message}: add a step `join` or `attach`")
            return None
        feature = _feature_of(field, self._notes)
        if feature is None:
            return None
        key = key_of(text_of(field.name) or term(field.uuid))
        if self.features.setdefault(key, feature) != feature:
            self._note(field, f"it differs from feature {key!r} of another split, which is used")
        return Column(key, feature, field.source)

    def _note(self, node: "RecordSet | Field", message: str) -> None:
        self._notes.append(Note(node.uuid, message))


def _source(field: "Field") -> str | None:
    """Return the `@id` of the file or file set that contains a field."""
    source = field.source
    identifier: str | None = source.file_object or source.file_set or source.distribution
    return identifier


def _types(node: "Field | RecordSet") -> list[str]:
    """Return the data types of a node without namespaces."""
    return [term(str(item)) for item in node.data_types or ()]


def _feature_of(field: "Field", notes: list[Note]) -> Content | None:
    """Return the feature of a field; None if no feature of a manifest fits.

    Classes are imported as numbers or texts.
    """
    kinds = _types(field)
    if "Label" in kinds or field.references.field:
        notes.append(Note(field.uuid, "its classes are not imported: write a label feature"))
    scalar = next((feature for kind, feature in _SCALARS.items() if kind in kinds), None)
    if scalar is None:
        message = f"its data type is not supported: {', '.join(kinds) or 'none'}"
        notes.append(Note(field.uuid, message))
        return None
    width = next((_DTYPES[kind] for kind in kinds if kind in _DTYPES), "")
    if width and scalar["kind"] in {"image", "number"}:
        scalar = scalar | {"dtype": width}
    shape = tuple(field.array_shape_tuple or ((-1,) if field.repeated else ()))
    feature = _array(scalar, shape) if shape else scalar
    if feature is None:
        message = f"values of kind {scalar['kind']} and shape {shape} are not supported"
        notes.append(Note(field.uuid, message))
    return feature


def _array(scalar: Content, shape: tuple[int, ...]) -> Content | None:
    """Return the feature for an array of pixels, an array of numbers or a list, or None."""
    kind, is_fixed = scalar["kind"], min(shape) > 0
    if kind == "image" and is_fixed and len(shape) == 3 and "dtype" in scalar:
        return scalar | {"shape": list(shape), "encoding": "raw"}
    if kind == "number" and is_fixed:
        return scalar | {"shape": list(shape)}
    if kind != "image" and len(shape) == 1:
        return {"kind": "list", "of": scalar}
    return None
