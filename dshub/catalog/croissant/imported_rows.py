"""Croissant's record sets as splits and their features."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dshub.catalog.croissant.imported_features import ImportedFeatures, types
from dshub.catalog.croissant.imported_files import ImportedFiles
from dshub.catalog.croissant.imported_readers import Column, reading
from dshub.catalog.croissant.reading import Note, key_of, own, plain, term
from dshub.catalog.croissant.vocabulary import SPLIT

if TYPE_CHECKING:
    from mlcroissant import Field, Metadata, RecordSet

Content = dict[str, Any]

_MOST = 500_000  # columns of all splits together


class ImportedRows:
    """The splits of a document, and the features of all of them.

    Attributes:
        features: by their key, in the order in which they come first.
        splits: by their key; without `rows` where the document does not say how many there are.
    """

    def __init__(self, metadata: "Metadata", files: ImportedFiles, notes: list[Note]) -> None:
        self._files, self._notes = files, notes
        self._kinds = ImportedFeatures(metadata, notes)
        sets = [n for n in metadata.record_sets if n.uuid not in self._kinds.enumerations]
        self._split_fields = {
            field.uuid for node in sets if "Split" in types(node) for field in node.fields
        }
        self.features: dict[str, Content] = {}
        self.splits: dict[str, Content] = {}
        self._columns: dict[str, set[str]] = {}
        for node in sets:
            if "Split" not in types(node):
                self._add(node)
        if len(self._columns) * len(self.features) > _MOST:
            raise OverflowError("it has more record sets and fields than a manifest can hold")
        for split, columns in self._columns.items():
            without = [name for name in self.features if name not in columns]
            if without:
                self.splits[split]["without"] = without

    def _add(self, node: "RecordSet") -> None:
        if node.data and not any(field.source for field in node.fields):
            self._note(node, "rows in the document itself are not imported")
        elif split := own(node, SPLIT):
            self.splits[key_of(plain(node.name) or term(node.uuid), self.splits)] = split
            for field in node.fields:
                self._add_own(field)
        else:
            self._understand(node)

    def _add_own(self, field: "Field") -> None:
        """Add a feature of a split of ours, whose `dshub:split` has its reader and files."""
        if field.value is None:
            feature = self._kinds.feature(field, [])
            if feature is not None:
                self.features.setdefault(_key(field), feature)

    def _understand(self, node: "RecordSet") -> None:
        fields = [field for field in node.fields if self._is_column(field)]
        source = self._main_source(node, fields)
        name = self._split_name(node)
        self.splits[name] = {}
        if source is None:
            return
        encodings = self._files.encodings(source)
        found = [self._column(field, source, encodings) for field in fields]
        columns = [column for column in found if column is not None]
        self._columns[name] = {column.key for column in columns}
        self.splits[name] = self._split(node, columns, source)

    def _split(self, node: "RecordSet", columns: Sequence[Column], source: str) -> Content:
        files = self._files.references(source)
        members = [item.partition(":")[2] for item in files if ":" in item]
        found = reading(columns, self._files.encodings(source), members)
        if not files:
            self._note(node, f"its rows are in no file that is understood: {source}")
        if found is None:
            self._note(node, f"Croissant does not say how to read {source}: choose a reader")
            return {"files": {"rows": _one_or_more(files)}} if files else {}
        split: Content = {"reader": found.reader}
        split |= {"files": {found.part: _one_or_more(files)}} if files else {}
        renamed = {theirs: ours for ours, theirs in found.titles.items() if ours != theirs}
        if renamed:
            split["steps"] = [{"step": "rename", "columns": renamed}]
        if found.reader["format"] == "delimited":
            self._note(node, "the header of the file must name these columns and no others")
        return split

    def _is_column(self, field: "Field") -> bool:
        """Whether a field has a value of its own in each row."""
        names_split = field.references.field in self._split_fields
        problem = ""
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

    def _main_source(self, node: "RecordSet", fields: Sequence["Field"]) -> str | None:
        """The file or set of files that most fields come from."""
        found = Counter(source for field in fields if (source := _source(field)))
        if not found:
            self._note(node, "no field says which file it comes from")
            return None
        return found.most_common(1)[0][0]

    def _column(self, field: "Field", source: str, encodings: Sequence[str]) -> Column | None:
        where = _source(field)
        if where != source:
            message = f"it comes from {where or 'no file'}, the others from {source}: joins are not"
            self._note(field, f"{message} understood; see the steps `join` and `attach`")
            return None
        feature = self._kinds.feature(field, encodings)
        if feature is None:
            return None
        key = _key(field)
        if self.features.setdefault(key, feature) != feature:
            self._note(field, f"it differs from the feature {key!r} elsewhere, which is used")
        return Column(key, feature, types(field), field.source)

    def _split_name(self, node: "RecordSet") -> str:
        """The value of the field that names the split, or the record set's own name."""
        for field in node.fields:
            if field.references.field in self._split_fields and isinstance(field.value, str):
                return key_of(field.value, self.splits)
        return key_of(term(node.uuid), self.splits)

    def used(self) -> set[str]:
        """The resources that some split has files of."""
        found: set[str] = set()
        for split in self.splits.values():
            files = split.get("files")
            for value in files.values() if isinstance(files, Mapping) else ():
                items = value if isinstance(value, list) else [value]
                found |= {item.partition(":")[0] for item in items if isinstance(item, str)}
        return found

    def _note(self, node: "RecordSet | Field", message: str) -> None:
        self._notes.append(Note(node.uuid, message))


def _key(field: "Field") -> str:
    """The name of a field's column in the manifest."""
    return key_of(plain(field.name) or term(field.uuid))


def _source(field: "Field") -> str | None:
    """The `@id` of the file or set of files that a field comes from."""
    source = field.source
    identifier: str | None = source.file_object or source.file_set or source.distribution
    return identifier


def _one_or_more(files: Sequence[str]) -> str | list[str]:
    return files[0] if len(files) == 1 else list(files)
