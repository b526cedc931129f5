"""Croissant's enumerations as the classes of labels."""

from collections.abc import Container, Sequence
from typing import Any

from dshub.manifest.croissant.notes import Note
from dshub.manifest.croissant.reading import Node, last, many, nodes, place, references, texts

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
