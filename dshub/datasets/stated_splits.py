"""Find splits that tables or lists beside image or audio files state.

These layouts are common::

    clips/1.mp3  clips/2.mp3  train.tsv  test.tsv             a table per split, as Common Voice has
    images/cat/1.jpg  …  meta/train.txt  meta/test.txt        lists of names, as Food-101 has
    JPEGImages/1.jpg  …  ImageSets/Segmentation/train.txt     as Pascal VOC has
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

from dshub.catalog.file_names import Names
from dshub.datasets.file_tables import FileRow, Table, rows_of_files
from dshub.datasets.split_expressions import Part, parse_split, synonyms, unknown_split
from dshub.datasets.trees import ordered_splits, split_word
from dshub.errors import ArgumentError, ReadError, SchemaError

_FOLDERS = ("segmentation", "main")  # of lists in Pascal VOC; others are of actions and layouts
_SAMPLE = 20  # lines of a list to look into


@dataclass(frozen=True)
class StatedRows:
    """Rows that a split expression selects.

    Attributes:
        rows: rows with their files.
        tables: tables of the rows; empty for lists.
        family: tables with the same columns, also of other splits.
    """

    rows: Sequence[FileRow]
    tables: Sequence[Table] = ()
    family: Sequence[Table] = ()

    @property
    def files(self) -> list[str]:
        """Paths of the files, without repetitions of rows that follow each other."""
        return [file for file, _ in groupby(file for file, _ in self.rows)]


@dataclass(frozen=True)
class StatedSplits:
    """Splits that tables or lists state.

    Attributes:
        root: path of the folder.
        rows: rows of each split, with their files; empty without such splits.
        tables: table of each split; empty for lists.
    """

    root: Path
    rows: Mapping[str, Sequence[FileRow]]
    tables: Mapping[str, Table]

    def choose(self, expression: str | None) -> StatedRows | None:
        """Return the rows that a split expression selects; None for all files of the folder.

        A single split does not require a split expression.

        Raises:
            ArgumentError: there are several splits, but `expression` is None.
            UnknownNameError: there are several splits, but not this one.
            SplitError: the expression has invalid syntax.
            SchemaError: the tables of the selected splits have different columns.
        """
        if expression is None and len(self.rows) > 1:
            raise required_split(self.root, [*self.rows])
        parts = parse_split(expression) if expression is not None and self.rows else []
        named = [(spelled_split(part.split, self.rows), part) for part in parts]
        if unknown := next((part for name, part in named if name is None), None):
            if len(self.rows) > 1:
                raise unknown_split(str(self.root), unknown.split, [*self.rows])
            return None
        chosen = [(name, part) for name, part in named if name is not None]
        return self._selected(chosen) if chosen else None

    def _selected(self, chosen: Sequence[tuple[str, Part]]) -> StatedRows:
        rows: list[FileRow] = []
        for name, part in chosen:
            bounds = part.rows(len(self.rows[name]))
            rows += self.rows[name][bounds.start : bounds.stop]
        tables = [self.tables[name] for name in dict(chosen) if name in self.tables]
        for table in tables[1:]:
            if table.columns != tables[0].columns:
                got = f"{tables[0].path} and {table.path}"
                hint = "open these splits one by one"
                expected = "splits with the same columns"
                raise SchemaError(where=str(self.root), expected=expected, got=got, hint=hint)
        family = [item for item in self.tables.values() if item.columns == tables[0].columns]
        return StatedRows(rows, tables, family)


def required_split(root: Path, names: Sequence[str], hint: str = "") -> ArgumentError:
    """Return the error for a folder with splits that is opened without one."""
    expected = f"one of the splits in {root}: {', '.join(names)}"
    action = f"pass a split, such as split={names[0]!r}{hint}"
    return ArgumentError(name="split", value=None, expected=expected, hint=action)


def spelled_split(split: str, splits: Mapping[str, object]) -> str | None:
    """Return the name of a split that a name, or its synonym in any case, means."""
    if split in splits:
        return split
    names = {split.lower(), *synonyms(split)}
    return next((name for name in splits if name.lower() in names), None)


def find_stated_splits(
    root: Path, files: Sequence[str], tables: Sequence[Table], texts: Sequence[str]
) -> StatedSplits:
    """Find the splits that tables or lists of files state.

    Args:
        root: path of the folder.
        files: paths of the files, without masks.
        tables: tables about the files.
        texts: paths of files `.txt`.

    Raises:
        ReadError: a list names a file that does not exist, or one that can be several files.
    """
    named: defaultdict[str, list[Table]] = defaultdict(list)
    for table in tables:
        if (split := split_word(table.stem)) is not None:
            named[split].append(table)
    by_split = {split: named[split][0] for split in ordered_splits(named) if len(named[split]) == 1}
    if by_split and len(by_split) == len(named):
        rows = {
            split: rows_of_files(sorted(table.described), [table])
            for split, table in by_split.items()
        }
        return StatedSplits(root, rows, by_split)
    lists = find_lists(texts)
    names = Names({file: file for file in files}, stems=True) if lists else None
    found = {split: _listed(root / lists[split], names) for split in ordered_splits(lists) if names}
    listed: dict[str, list[FileRow]] = {
        split: [(file, {}) for file in some] for split, some in found.items() if some
    }
    return StatedSplits(root, listed, {})


def find_lists(texts: Sequence[str]) -> dict[str, str]:
    """Return the path of the list of each split, by its name.

    Args:
        texts: paths of files `.txt`.

    Returns:
        Lists of one folder. If several have lists, these are the ones of Pascal VOC, or nothing.
    """
    folders: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for text in texts:
        if (split := split_word(PurePosixPath(text).stem)) is not None:
            folders[text.rpartition("/")[0]][split] = text
    if len(folders) < 2:
        return next(iter(folders.values()), {})
    known = {folder.rpartition("/")[2].lower(): lists for folder, lists in folders.items()}
    return next((known[name] for name in _FOLDERS if name in known), {})


def _listed(path: Path, names: Names[str]) -> list[str]:
    """Return the files in a list, sorted; empty if its first lines do not name files.

    The name is the line, or the text before its first blank.
    """
    found: set[str] = set()
    for number, line in enumerate(_lines(path)):
        file = names.find(line) or names.find(line.split()[0])
        if file is not None:
            found.add(file)
        elif found:
            hint = "remove the line, or add the file"
            reason = f"it names {line!r}, which does not exist"
            raise ReadError(file=str(path), reason=reason, hint=hint)
        elif number == _SAMPLE:
            break
    return sorted(found)


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file; a file that is not text has none."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from filter(None, map(str.strip, file))
    except UnicodeDecodeError:
        return
    except OSError as error:
        hint = "check that it exists and that you can read it"
        raise ReadError(file=str(path), reason=error.strerror or str(error), hint=hint) from error
