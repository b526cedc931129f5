"""Recognize trees of text files in which each file is a row, and find their encoding."""

from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Sequence

from dshub.datasets.documents import TEXTS
from dshub.datasets.tabular.texts import read_text
from dshub.datasets.trees import split_word
from dshub.errors import DshubError
from dshub.formats._texts import Encoding
from dshub.publishing.authoring.survey import Entry, split_in, stem

_FEW = 2  # text files that are rows rather than tables of lines
_MARKUP = {".md", ".rst"}
_MOST = 0.9  # share of text files that look like text


def are_documents(form: str, entries: Sequence[Entry], *, stated: bool | None) -> bool:
    """Return True if each text file is a row: in class folders, or many without split names.

    Args:
        form: format of the files.
        entries: files.
        stated: whether each file is a row, from the command line; None to detect it.
    """
    if form != "lines" or stated is not None:
        return form == "lines" and bool(stated)
    return _has_classes(entries) or _is_collection(entries)


def _has_classes(entries: Sequence[Entry]) -> bool:
    """Return True if text files are in at least two class folders."""
    nested = [entry.folders for entry in entries if entry.folders]
    classes = {path[-1] for path in nested if split_word(path[-1]) is None}
    return 2 * len(nested) > len(entries) and len(classes) > 1


def _is_collection(entries: Sequence[Entry]) -> bool:
    suffixes = {entry.suffix for entry in entries}
    if suffixes <= _MARKUP:
        return True
    has_splits = any(split_in(stem(entry.base))[0] for entry in entries)
    return suffixes <= {*TEXTS} and len(entries) >= _FEW and not has_splits


def without_loose(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Drop files beside several class folders, such as lists of addresses; return their names."""
    folders: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    inner = {}
    for entry in entries:
        words = [bool(split_word(folder)) for folder in entry.folders]
        depth = words.index(True) + 1 if True in words else 0
        inner[entry.name] = entry.folders[:depth], entry.folders[depth : depth + 1]
        folders[entry.folders[:depth]].update(entry.folders[depth : depth + 1])
    loose = {name for name, (top, below) in inner.items() if not below and len(folders[top]) > 1}
    return [entry for entry in entries if entry.name not in loose], sorted(loose)


def merge_texts(by_form: dict[str, list[Entry]]) -> None:
    """Treat text files that look like tables or JSON as text, if nearly all others are text.

    A review can begin with a brace, or have tabs.
    """
    texts = [entry for entry in by_form.get("lines", ()) if entry.suffix in TEXTS]
    others = [
        entry
        for form in ("json", "delimited")
        for entry in by_form.get(form, ())
        if entry.suffix in TEXTS
    ]
    if not others or len(texts) < _MOST * (len(texts) + len(others)) or not _has_classes(texts):
        return
    for form in ("json", "delimited"):
        by_form[form] = [entry for entry in by_form.get(form, ()) if entry.suffix not in TEXTS]
        if not by_form[form]:
            del by_form[form]
    moved = {entry.name for entry in [*texts, *others]}
    rest = [entry for entry in by_form["lines"] if entry.name not in moved]
    by_form["lines"] = sorted([*texts, *others], key=lambda entry: entry.name) + rest


def find_encoding(entries: Sequence[Entry], stated: Encoding | None) -> tuple[str, str]:
    """Return the encoding of documents for the reader of folders, and a doubt, or empty.

    Raises:
        DshubError: a file is not text, or files have several encodings.
        ReadError: a file cannot be read.
    """
    found: dict[str, str] = {}
    unsure, marked = "", False
    for entry in entries:
        text = read_text(entry.file, stated)
        if text is None:
            raise DshubError(f"{entry.name} is not text", hint="pass only text files")
        if not text.ascii:
            found.setdefault(text.encoding, entry.name)
            unsure = unsure or ("" if text.sure else entry.name)
            marked = marked or (text.encoding == "utf-8" and entry.head().startswith(BOM_UTF8))
    if len(found) > 1:
        names = ", ".join(f"{name} is {encoding}" for encoding, name in found.items())
        raise DshubError(
            f"the files have several encodings: {names}",
            hint="state one with --encoding, or convert the files to UTF-8",
        )
    encoding = "utf-8-sig" if marked else next(iter(found), "utf-8")
    doubt = f"{unsure} is not UTF-8 and is read as {encoding}; use --encoding to change this"
    return encoding, doubt if unsure else ""
