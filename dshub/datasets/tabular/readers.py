"""Choose the reader of tables in files, with the options that fit them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pyarrow as pa

from dshub import formats
from dshub.catalog.checks import unused
from dshub.datasets.tabular.dialects import Dialect, shown, sniff
from dshub.datasets.tabular.json_records import read_records
from dshub.datasets.tabular.texts import Text, read_text
from dshub.errors import DshubError, ReadError
from dshub.formats import File
from dshub.formats._texts import Encoding, numbered_lines

_TYPED = {"json", "parquet", "arrow"}  # formats in which text is text, even if it has digits
_TAG = re.compile(r"O|[BIESLUM]-\S+")  # label of a token
_DIGITS = 9  # of an index in LIBSVM files
_MOST_FEATURES = 1 << 20  # per row of LIBSVM files, because all are stored

Naming = Callable[[str, Collection[str]], str]
"""Function that returns the name of a column, given its name in the file and the names in use."""


def unchanged(text: str, taken: Collection[str] = ()) -> str:
    """Keep the name of a column, unless another column has it; a list is named like its key."""
    return unused(text.replace("[]", ""), taken, "_")


def untyped(reader: Mapping[str, Any], columns: Iterable[str]) -> set[str]:
    """Return the columns of a reader in which text can be numbers, such as those of CSV."""
    if reader["format"] == "partitioned":
        names = set(columns)
        folders = {name for name in names if f"={{{name}}}/" in reader["path"]}
        return folders | untyped(reader["of"], names - folders)
    return set() if reader["format"] in _TYPED else set(columns)


def name_of_unnamed(number: int) -> str:
    """Return the name of a column without one; the first is the index that pandas writes."""
    return "index" if number == 1 else f"column_{number}"


@dataclass(frozen=True)
class TextOptions:
    """Stated facts about text files; None if they are to be detected.

    Attributes:
        header: whether delimited text has a header.
        delimiter: delimiter between fields.
        encoding: encoding of the files.
        decimal_comma: columns of numbers such as `1,5`; None for all columns of such numbers.
        python: whether notes name keyword arguments instead of options of a command.
        naming: function that names columns.
    """

    header: bool | None = None
    delimiter: str | None = None
    encoding: Encoding | None = None
    decimal_comma: tuple[str, ...] | None = ()
    python: bool = False
    naming: Naming = unchanged

    @property
    def is_table(self) -> bool:
        """Whether an option describes a table, so that text files are tables."""
        return self.header is not None or self.delimiter is not None or self.decimal_comma != ()

    def how(self, option: str, argument: str) -> str:
        """Tell how to state a fact, by an option of a command or an argument of a function."""
        return f"pass {argument}" if self.python else f"use {option}"

    def has_decimal_comma(self, column: str) -> bool:
        """Return True if a column is stated to have numbers with a decimal comma."""
        stated = self.decimal_comma
        return stated is None or bool({column, self.naming(column, ())} & set(stated))


def choose_reader(
    form: str, files: Sequence[File], options: TextOptions
) -> tuple[dict[str, Any], list[str]]:
    """Return the reader options for files of one format, and notes about what is uncertain.

    Raises:
        DshubError: the files have different structures.
        ReadError: a file does not match its format.
    """
    notes: list[str] = []
    if form == "delimited":
        chosen = _delimited(files, notes, options)
    elif form == "json":
        chosen = _json(files, notes, options)
    elif form == "lines":
        texts = _texts(files, options)
        chosen = {"blank": "drop", **_encoding(texts, notes, options)}
        notes += _token_labels(texts)
    elif form == "libsvm":
        chosen = {"shape": [max(map(_largest_index, files))], "sparse": True}
    else:
        chosen = _nested_columns(form, files[0], options)
    return {"format": form, **chosen}, notes


def _delimited(files: Sequence[File], notes: list[str], options: TextOptions) -> dict[str, Any]:
    """Return the reader options for delimited text, which must be the same for all files."""
    texts = _texts(files, options)
    dialects: dict[Dialect, str] = {}
    for name, text in texts.items():
        dialect = sniff(
            text.head,
            name,
            header=options.header,
            delimiter=options.delimiter,
            complete=text.complete,
            late=text.late,
        )
        dialects.setdefault(dialect, name)
    if len(dialects) > 1:
        names = list(dialects.values())
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        raise DshubError(
            f"{', '.join(names[:3])}{more} differ in columns, delimiter, quotes or header",
            hint="pass only files of one dataset, or use --split NAME=PATH for each file",
        )
    (first,) = dialects
    notes += [*_doubts(first, options), *_token_labels(texts)]
    commas = first.columns if options.decimal_comma is not None else first.decimal_commas
    stated = {
        "header": first.header,
        "delimiter": first.delimiter,
        "quoting": first.quoting,
        "trailing": first.trailing,
        "decimal_comma": [name for name in commas if options.has_decimal_comma(name)],
    }
    defaults = {"header": False, "delimiter": ",", "quoting": True, "trailing": False}
    stated = {name: value for name, value in stated.items() if value != defaults.get(name, [])}
    return {"columns": list(first.columns), **stated, **_encoding(texts, notes, options)}


def _doubts(dialect: Dialect, options: TextOptions) -> Iterator[str]:
    """Yield what is uncertain about delimited text, with the options that decide it."""
    delimiter = options.how("--delimiter", "delimiter=")
    if dialect.others and options.delimiter is None:
        others = " and ".join(map(shown, dialect.others))
        yield (
            f"fields are separated by {shown(dialect.delimiter)}, but {others} would also fit; "
            f"{delimiter} to change this"
        )
    if dialect.delimiter == "blanks" and options.delimiter is None:
        yield f"fields are separated by blanks; {delimiter} to change this"
    if not dialect.sure and options.header is None:
        role = "a header" if dialect.header else "data"
        option = "--no-header" if dialect.header else "--header"
        how = options.how(option, f"header={not dialect.header}")
        yield f"the first line is read as {role}; {how} to change this"
    for name in dialect.decimal_commas:
        if not options.has_decimal_comma(name):
            how = options.how(f"--decimal-comma {options.naming(name, ())}", 'decimal=","')
            yield f"column {name!r} looks like numbers with a decimal comma; if it is, {how}"


def _texts(files: Sequence[File], options: TextOptions) -> dict[str, Text]:
    """Return the beginning of each file by name.

    Raises:
        DshubError: a file is not text.
    """
    texts = {}
    for file in files:
        text = read_text(file, options.encoding)
        if text is None:
            raise DshubError(f"{file.name} is not text", hint="pass only text files")
        texts[file.name] = text
    return texts


def _token_labels(texts: Mapping[str, Text]) -> Iterator[str]:
    """Yield a doubt if a file has a token and its labels in each line, as for CoNLL-2003."""
    for name, text in texts.items():
        *lines, _ = text.head.replace("\r", "").split("\n")
        tokens = [line.split() for line in lines if line.strip()]
        are_sentences = "" in map(str.strip, lines[:-1])
        if are_sentences and all(len(t) > 1 and _TAG.fullmatch(t[-1]) for t in tokens):
            fields = max(map(len, tokens))
            yield (
                f"{PurePath(name).name} looks like token labels: each line is a row, not each "
                f'sentence; to read sentences, write format = "conll" with its {fields} columns in '
                "a manifest"
            )


def _encoding(texts: Mapping[str, Text], notes: list[str], options: TextOptions) -> dict[str, Any]:
    """Return the reader option for the encoding, which must be the same for all files."""
    how = options.how("--encoding", "encoding=")
    found = {text.encoding: name for name, text in texts.items() if not text.ascii}
    if len(found) > 1:
        names = ", ".join(f"{name} is {encoding}" for encoding, name in found.items())
        raise DshubError(
            f"the files have several encodings: {names}",
            hint=f"{how} to state one, or convert the files to UTF-8",
        )
    for encoding, name in found.items():
        if not texts[name].sure:
            base = PurePath(name).name
            notes.append(f"{base} is not UTF-8 and is read as {encoding}; {how} to change this")
        return {"encoding": encoding} if encoding != "utf-8" else {}
    return {}


def _largest_index(file: File) -> int:
    """Return the largest index of a LIBSVM file, which is the number of its features.

    Raises:
        ReadError: a line does not end with a pair `index:value`.
    """
    largest = 1
    for number, line in numbered_lines(file):
        words = line.split()
        index = words[-1].partition(b":")[0] if len(words) > 1 else b"1"
        if not index.isdigit() or len(index) > _DIGITS:
            reason = f"line {number:,} is not `label index:value …`"
            raise ReadError(file=file.name, reason=reason)
        largest = max(largest, int(index))
    if largest > _MOST_FEATURES:
        reason = f"it has {largest:,} features, and dshub reads at most {_MOST_FEATURES:,}"
        hint = "save it as CSV or npz with fewer features"
        raise ReadError(file=file.name, reason=reason, hint=hint)
    return largest


def _json(files: Sequence[File], notes: list[str], options: TextOptions) -> dict[str, Any]:
    records = read_records(files)
    chosen = records.reader(options.naming)
    notes += records.notes
    if not chosen["columns"]:
        raise DshubError(
            f"{files[0].name} has no key with values of one type",
            hint="write a manifest; see https://dshub.github.io/dshub/manifests.html",
        )
    return chosen


def _nested_columns(form: str, file: File, options: TextOptions) -> dict[str, Any]:
    """Return the reader option `columns` for a file with media of Hugging Face, or no options.

    Only `bytes` is used of these structs of `bytes` and `path`. Other structs are columns.
    """
    schema = schema_of(form, file)
    paths = {} if schema is None else dict(_paths(schema))
    columns: dict[str, str] = {}
    for path, name in paths.items():
        columns[options.naming(name, columns)] = path
    return {"columns": columns} if any("." in path for path in paths) else {}


def _paths(fields: Iterable[pa.Field]) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of each column, descending into structs with media."""
    for field in fields:
        inner = dict(_paths(field.flatten())) if pa.types.is_struct(field.type) else {}
        if f"{field.name}.bytes" in inner:
            yield f"{field.name}.bytes", field.name
        elif any(path.endswith(".bytes") for path in inner):
            yield from inner.items()
        else:
            yield field.name, field.name


def schema_of(form: str, file: File) -> pa.Schema | None:
    """Return the schema of a file; None if the file has no rows."""
    batch = next(iter(formats.create({"format": form}).read({"rows": [file]})), None)
    return None if batch is None else batch.schema
