"""Import Croissant's record sets as splits and their features."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dshub.catalog.croissant.imported_features import ImportedFeatures, types
from dshub.catalog.croissant.imported_files import ImportedFiles
from dshub.catalog.croissant.imported_readers import Column, reading
from dshub.catalog.croissant.reading import Note, key_of, plain, term

if TYPE_CHECKING:
    from mlcroissant import Field, Metadata, RecordSet

Content = dict[str, Any]

_MOST = 500_000  # columns of all splits together


class ImportedRows:
    """The splits of a document, and their features.

    Attributes:
        features: by their key, in the order of the document.
        splits: by their key, without `rows`, which Croissant does not say.
        used: the keys of resources that splits read.
    """

    def __init__(self, metadata: "Metadata", files: ImportedFiles, notes: list[Note]) -> None:
        self._files, self._notes = files, notes
        self._kinds = ImportedFeatures(metadata, notes)
        self.features: dict[str, Content] = {}
        self.splits: dict[str, Content] = {}
        self.used: set[str] = set()
        others = [
            node for node in metadata.record_sets if node.uuid not in self._kinds.enumerations
        ]
        rows = [node for node in others if "Split" not in types(node)]
        self._split_fields = {
            field.uuid for node in others if "Split" in types(node) for field in node.fields
        }
        columns: dict[str, set[str]] = {}
        for node in rows:
            if node.data and not any(field.source for field in node.fields):
                self._note(node, "rows in the document itself are not imported")
            else:
                self._add(node, columns)
        if len(columns) * len(self.features) > _MOST:
            raise OverflowError("it has more record sets and fields than a manifest can hold")
        for split, own in columns.items():
            if without := [name for name in self.features if name not in own]:
                self.splits[split]["without"] = without

    def _add(self, node: "RecordSet", columns: dict[str, set[str]]) -> None:
        fields = [field for field in node.fields if self._is_column(field)]
        sources = Counter(source for field in fields if (source := _source(field)))
        name = self._split_name(node)
        self.splits[name] = {}
        if not sources:
            self._note(node, "no field says which file it comes from")
            return
        source = sources.most_common(1)[0][0]
        found = [column for field in fields if (column := self._column(field, source))]
        columns[name] = {column.key for column in found}
        self.splits[name] = self._split(node, found, source)

    def _split(self, node: "RecordSet", columns: Sequence[Column], source: str) -> Content:
        files = self._files.references(source)
        self.used.update(item.partition(":")[0] for item in files)
        members = [item.partition(":")[2] for item in files if ":" in item]
        chosen = reading(columns, self._files.encodings(source), members)
        if not files:
            self._note(node, f"its rows are in no file that is understood: {source}")
        if chosen is None:
            self._note(node, f"Croissant does not say how to read {source}: choose a reader")
        elif chosen.reader["format"] == "delimited":
            self._note(node, "the header of the file must name these columns and no others")
        split: Content = {}
        if chosen is not None:
            split["reader"] = chosen.reader
        if files:
            part = "rows" if chosen is None else chosen.part
            split["files"] = {part: files[0] if len(files) == 1 else files}
        if chosen is not None and chosen.renamed:
            split["steps"] = [{"step": "rename", "columns": dict(chosen.renamed)}]
        return split

    def _is_column(self, field: "Field") -> bool:
        """True if a field has a value of its own in each row."""
        names_split = field.references.field in self._split_fields
        if field.value is not None:
            problem = "" if names_split else "the same value in every row is left out"
        elif names_split:
            problem = "rows of several splits in one file: make a split of each, with its own files"
        elif field.sub_fields:
            problem = "fields within a field are not understood"
        else:
            return True
        if problem:
            self._note(field, problem)
        return False

    def _column(self, field: "Field", source: str) -> Column | None:
        where = _source(field)
        if where != source:
            message = f"it comes from {where or 'no file'}, the others from {source}: joins are not"
            self._note(field, f"{message} understood; see the steps `join` and `attach`")
            return None
        feature = self._kinds.feature(field, self._files.encodings(source))
        if feature is None:
            return None
        key = key_of(plain(field.name) or term(field.uuid))
        if self.features.setdefault(key, feature) != feature:
            self._note(field, f"it differs from the feature {key!r} elsewhere, which is used")
        return Column(key, feature, types(field), field.source)

    def _split_name(self, node: "RecordSet") -> str:
        """The value of the field that names the split, or the record set's own name."""
        for field in node.fields:
            if field.references.field in self._split_fields and isinstance(field.value, str):
                return key_of(field.value, self.splits)
        return key_of(term(node.uuid), self.splits)

    def _note(self, node: "RecordSet | Field", message: str) -> None:
        self._notes.append(Note(node.uuid, message))


def _source(field: "Field") -> str | None:
    """The `@id` of the file or set of files that a field comes from."""
    source = field.source
    identifier: str | None = source.file_object or source.file_set or source.distribution
    return identifier
