"""Outline datasets of images or audio files that a table describes, such as `metadata.csv`.

The rows are those of the table. A step of each split attaches the file that a column names.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from dshub.catalog.file_names import FileNames, composed
from dshub.datasets.file_tables import is_text_table, names_of
from dshub.datasets.media import AUDIO, IMAGES, MOST_LISTS
from dshub.datasets.tabular.readers import TextOptions
from dshub.datasets.trees import split_word
from dshub.progress import Progress
from dshub.publishing.authoring import class_folders, tables
from dshub.publishing.authoring.outline import PACKED, Outline, SplitOutline
from dshub.publishing.authoring.scanning import batches
from dshub.publishing.authoring.survey import Entry, Survey, some

FORMS = ("delimited", "json")  # formats of tables
ONLY_NAMES = {"file_name", "filename", "file", "path", "image", "img", "audio"}


class Names(NamedTuple):
    """Column of file names, and the text before and after each of them."""

    column: str
    before: str
    after: str
    members: set[str]

    @property
    def path(self) -> str:
        """Pattern of the step `attach`."""
        braces = str.maketrans({"{": "{{", "}": "}}"})
        before, after = self.before.translate(braces), self.after.translate(braces)
        return f"{before}{{{self.column}}}{after}"


def find_tables(
    by_form: Mapping[str, Sequence[Entry]], files: Sequence[Entry]
) -> tuple[str, list[Entry]] | None:
    """Return the format and the files of tables, or None if there are none.

    Text with a header and then the name of a file is a table, such as `captions.txt`.

    Args:
        by_form: files by format.
        files: image or audio files.
    """
    for form in FORMS:
        entries = [e for e in by_form.get(form, ()) if "submission" not in e.base.lower()]
        stated = [entry for entry in entries if entry.base.lower().startswith("metadata.")]
        if entries:
            return form, stated or entries
    texts = [entry for entry in by_form.get("lines", ()) if entry.suffix == ".txt"]
    names = names_of([entry.name for entry in files]) if len(texts) <= MOST_LISTS else frozenset()
    found = [entry for entry in texts if names and is_text_table(entry.head(), names)]
    return ("delimited", found) if found else None


def caption_notes(by_form: Mapping[str, Sequence[Entry]], files: Sequence[Entry]) -> list[str]:
    """Return a note about captions, texts of the same name as a file, which a draft leaves out."""
    stems = {entry.name.rpartition(".")[0] for entry in files if entry.suffix in IMAGES + AUDIO}
    texts = [
        entry.name
        for form in ("lines", *FORMS)
        for entry in by_form.get(form, ())
        if entry.suffix == ".txt" and entry.name.rpartition(".")[0] in stems
    ]
    advice = "to have them, use Dataset.from_folder, or a table with a column file_name"
    return [f"left out {len(texts):,} captions, such as {texts[0]}; {advice}"] if texts else []


def outline(
    form: str,
    splits: Mapping[str, Sequence[Entry]],
    files: Sequence[Entry],
    options: TextOptions,
) -> tuple[Outline, dict[str, Names]] | None:
    """Outline the tables of splits, or return None if they do not name the files.

    Args:
        form: format of the tables.
        splits: tables of each split.
        files: image or audio files.
        options: stated facts about text files.

    Raises:
        DshubError: a table cannot be read.
    """
    if len({entry.path if entry.file.member else PACKED for entry in files}) > 1:
        return None
    result = tables.outline(form, splits, options)
    found = {name: _names(split, _known(name, files)) for name, split in result.splits.items()}
    named = {name: names for name, names in found.items() if names is not None}
    return (result, named) if len(named) == len(found) else None


def attach(
    result: Outline,
    named: Mapping[str, Names],
    survey: Survey,
    *,
    files: Sequence[Entry],
    kind: str,
    progress: Progress,
) -> None:
    """Add the files of each split to a scanned outline of tables.

    Args:
        result: outline of tables.
        named: file names of each split.
        survey: all files of the dataset.
        files: image or audio files.
        kind: `image` or `audio`; also the name of the column.
        progress: progress display.

    Raises:
        DshubError: audio files differ, or a name cannot be packed.
        ReadError: a file cannot be decoded.
    """
    used = set(chain.from_iterable(names.members for names in named.values()))
    chosen = [entry for entry in files if _member(entry) in used]
    dropped = {names.column for names in named.values()} & ONLY_NAMES
    columns = {name: item for name, item in result.features.items() if name not in dropped}
    result.kind = f"{class_folders.TITLES[kind]} and {result.kind}"
    feature, doubt = class_folders.feature_of(chosen, kind, progress)
    result.features = {kind: feature, **columns}
    result.doubts += [doubt] if doubt else []
    result.members = [(entry.name, entry.path) for entry in files if not entry.file.member]
    class_folders.check_names(result.members)
    members = {PACKED: [name for name, _ in result.members], **survey.members}
    for name, split in result.splits.items():
        split.references[kind] = class_folders.references(files, "", members)
        split.without = [column for column in split.without if column not in dropped]
        step = {"step": "attach", "part": kind, "column": kind, "path": named[name].path}
        split.steps.append(step)
    without = [entry.name for entry in files if _member(entry) not in used]
    if without:
        result.doubts.append(f"skipped files without a row in a table: {some(without)}")


def _member(entry: Entry) -> str:
    """Return the name of a file in its archive, or in the archive that it will be packed into."""
    return entry.file.member or entry.name


def _known(split: str, files: Sequence[Entry]) -> set[str]:
    """Return the files in the folders of a split, or without any, all files."""
    inside = [entry for entry in files if split in map(split_word, entry.folders)]
    return set(map(_member, inside or files))


def _names(split: SplitOutline, known: set[str]) -> Names | None:
    """Return the column of a table that names files, or None if no column names a file per row."""
    values: dict[str, list[str]] = {}
    for batch in batches(split):
        for column, texts in zip(batch.schema.names, batch.columns, strict=True):
            values.setdefault(column, []).extend(map(str, texts.to_pylist()))
    spellings = FileNames(known)
    for column in sorted(values, key=lambda column: column not in ONLY_NAMES):
        for before, after in _contexts(values[column][:1], known):
            found = [spellings.find(f"{before}{value}{after}") for value in values[column]]
            if all(len(names) == 1 for names in found):
                return Names(column, before, after, {names[0] for names in found})
    return None


def _contexts(values: Sequence[str], known: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the text before and after a value in each file that it can name.

    Names can differ in Unicode form and case.
    """
    for value in map(composed, values):
        for name in sorted(map(composed, known)):
            stem, dot, extension = name.rpartition(".")
            is_whole = name.lower().endswith(value.lower())
            text, after = (name, "") if is_whole else (stem, f"{dot}{extension}")
            before = text[: len(text) - len(value)]
            whole = not before or before.endswith("/")
            if value and whole and text.lower() == f"{before}{value}".lower():
                yield before, after
