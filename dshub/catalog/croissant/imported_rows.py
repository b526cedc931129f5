"""Croissant's record sets as splits and their features."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dshub.catalog.croissant.imported_features import ImportedFeatures, targets
from dshub.catalog.croissant.imported_files import ImportedFiles
from dshub.catalog.croissant.imported_readers import Column, reading
from dshub.catalog.croissant.reading import (
    Node,
    Note,
    key_of,
    last,
    nodes,
    one,
    place,
    references,
    text,
    texts,
)
from dshub.catalog.croissant.vocabulary import SPLIT

Content = dict[str, Any]

_MOST = 2_000_000  # columns of all splits together


class ImportedRows:
    """The splits of a document, and the features of all of them.

    Attributes:
        features: by their key, in the order in which they come first.
        splits: by their key; without `rows` where the document does not say how many there are.
    """

    def __init__(self, document: Node, files: ImportedFiles, notes: list[Note]) -> None:
        self._files, self._notes = files, notes
        self._kinds = ImportedFeatures(document, notes)
        self._named = {
            place(node)
            for node in nodes(document, "recordSet")
            if "Split" in texts(node, "dataType")
        }
        self.features: dict[str, Content] = {}
        self.splits: dict[str, Content] = {}
        self._columns: dict[str, set[str]] = {}
        for node in nodes(document, "recordSet"):
            if place(node) not in self._named and place(node) not in self._kinds.enumerations:
                self._add(node)
        if len(self._columns) * len(self.features) > _MOST:
            raise OverflowError("it has more record sets and fields than a manifest can hold")
        for split, columns in self._columns.items():
            without = [name for name in self.features if name not in columns]
            if without:
                self.splits[split]["without"] = without

    def _add(self, node: Node) -> None:
        if "data" in node and not any("source" in item for item in nodes(node, "field")):
            self._note(node, "rows that stand in the document itself are not taken over")
            return
        own = node.get(SPLIT)
        if isinstance(own, dict):
            name = key_of(text(node, "name") or last(place(node)), self.splits)
            self.splits[name] = own
            for field in nodes(node, "field"):
                self._add_own(field)
            return
        self._understand(node)

    def _add_own(self, field: Node) -> None:
        """A feature of a split of ours; its reader and files are told under `dshub:split`."""
        if "value" not in field:
            feature = self._kinds.feature(field, [])
            name = key_of(text(field, "name") or last(place(field)))
            if feature is not None:
                self.features.setdefault(name, feature)

    def _understand(self, node: Node) -> None:
        fields = [item for item in nodes(node, "field") if self._is_column(item)]
        source = self._main_source(node, fields)
        if source is None:
            return
        encodings = self._files.encodings(source)
        columns: list[Column] = []
        for field in fields:
            column = self._column(field, source, encodings)
            if column is not None:
                columns.append(column)
        if not columns:
            self._note(node, "none of its fields is understood")
            return
        name = self._split_name(node)
        self.splits[name] = self._split(node, columns, source)
        self._columns[name] = {column.key for column in columns}

    def _split(self, node: Node, columns: Sequence[Column], source: str) -> Content:
        files = self._files.references(source)
        members = [item.partition(":")[2] for item in files if ":" in item]
        found = reading(columns, self._files.encodings(source), members)
        if not files:
            self._note(node, f"what it is read from is no file that is understood: {source}")
        if found is None:
            told = "Croissant does not say how its rows are read from"
            self._note(node, f"{told} {source}: choose a reader")
            return {"files": {"rows": _one_or_more(files)}} if files else {}
        split: Content = {"reader": found.reader}
        split |= {"files": {found.part: _one_or_more(files)}} if files else {}
        renamed = {theirs: ours for ours, theirs in found.columns.items() if ours != theirs}
        if renamed:
            split["steps"] = [{"step": "rename", "columns": renamed}]
        if found.reader["format"] == "delimited":
            self._note(node, "its columns are taken to be all that the header of the file names")
        return split

    def _is_column(self, field: Node) -> bool:
        """Whether a field has a value of its own in each row."""
        splits = any(link.rpartition("/")[0] in self._named for link in targets(field))
        if "value" in field:
            if not splits:
                self._note(field, "the same value in every row is left out")
            return False
        if splits:
            told = "splits that are told apart by it are not; make one of each, with its own files"
            self._note(field, told)
            return False
        if nodes(field, "subField"):
            self._note(field, "fields within a field are not understood")
            return False
        return True

    def _main_source(self, node: Node, fields: Sequence[Node]) -> str | None:
        """The file or set of files that most fields come from."""
        found = Counter(source for field in fields for source in [_source(field)] if source)
        if not found:
            self._note(node, "no field says which file it comes from")
            return None
        return found.most_common(1)[0][0]

    def _column(self, field: Node, source: str, encodings: Sequence[str]) -> Column | None:
        own = _source(field)
        if own != source:
            told = f"it comes from {own or 'no file'}, the others from {source}: joins are not"
            self._note(field, f"{told} understood; see the steps `join` and `attach`")
            return None
        feature = self._kinds.feature(field, encodings)
        if feature is None:
            return None
        key = key_of(text(field, "name") or last(place(field)))
        known = self.features.setdefault(key, feature)
        if known != feature:
            self._note(field, f"it is another feature than {key!r} elsewhere, which is taken")
        return Column(key, feature, texts(field, "dataType"), one(field, "source"))

    def _split_name(self, node: Node) -> str:
        """The value of the field that names the split, or the record set's own name."""
        for field in nodes(node, "field"):
            value = field.get("value")
            named = any(link.rpartition("/")[0] in self._named for link in targets(field))
            if named and isinstance(value, str):
                return key_of(value, self.splits)
        return key_of(last(place(node)) or text(node, "name"), self.splits)

    def used(self) -> set[str]:
        """The resources that some split has files of."""
        found: set[str] = set()
        for split in self.splits.values():
            files = split.get("files")
            for value in files.values() if isinstance(files, Mapping) else ():
                items = value if isinstance(value, list) else [value]
                found |= {item.partition(":")[0] for item in items if isinstance(item, str)}
        return found

    def _note(self, node: Node, message: str) -> None:
        self._notes.append(Note(place(node), message))


def _source(field: Node) -> str | None:
    """The `@id` of the file or set of files that a field comes from."""
    found = one(field, "source")
    for key in ("fileObject", "fileSet", "distribution"):
        for target in references(found, key):
            return target
    return None


def _one_or_more(files: Sequence[str]) -> str | list[str]:
    return files[0] if len(files) == 1 else list(files)
