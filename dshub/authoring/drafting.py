"""From files to the outline of a dataset: what they are, which splits they make, what they hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dshub import archives
from dshub.authoring import arrays, tables, trees
from dshub.authoring.columns import Wishes
from dshub.authoring.forms import ARRAYS, TABLES, form, refusal
from dshub.authoring.names import ORDER, ordered_splits, split_in, split_word, stem
from dshub.authoring.outline import Outline
from dshub.authoring.scanning import scan
from dshub.authoring.survey import Entry, Survey, look, some
from dshub.errors import DshubError
from dshub.progress import Progress

_TREES = {"picture": "image", "recording": "audio"}


@dataclass(frozen=True)
class Request:
    """What a person asks for.

    Attributes:
        paths: files and folders.
        splits: files and folders of which the split is said, by its name.
        wishes: what is said of columns.
        header: whether the first line of delimited text names its columns; None: look.
    """

    paths: tuple[Path, ...]
    splits: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    header: bool | None = None

    @property
    def tops(self) -> list[Path]:
        """Every path to look at, once."""
        places = [path.resolve() for path in self.paths]
        own = [
            path
            for paths in self.splits.values()
            for path in paths
            if not any(place in (path.resolve(), *path.resolve().parents) for place in places)
        ]
        return [*self.paths, *own]


def draft(request: Request, stack: ExitStack, progress: Progress) -> Outline:
    """What a dataset of some files is; every row is read once.

    Args:
        request: which files, and what is known of them.
        stack: keeps archives open.
        progress: is told how far it has come.

    Raises:
        DshubError: it cannot be told what the files are, or which belong together.
        ReadError, UnsafeArchiveError, StoreError: a file is damaged or cannot be read.
    """
    survey = look(request.tops, stack)
    kinds = {entry.name: form(entry) for entry in survey.entries}
    chosen = _choose(survey.entries, kinds)
    entries = [entry for entry in survey.entries if kinds[entry.name] == chosen]
    given = _given(request, entries)
    left = [entry.name for entry in survey.entries if kinds[entry.name] != chosen]
    notes = survey.notes + _beside(left, chosen)
    if chosen in _TREES or _is_text_tree(chosen, entries):
        kind = _TREES.get(chosen, "text")
        found = trees.outline(survey, entries, kind, given=given, progress=progress)
        request.wishes.check(found.features)
    else:
        found = _outline(chosen, entries, survey, given, request, notes)
        scan(found, request.wishes, progress)
    found.doubts = [*notes, *found.doubts]
    return found


def _beside(names: Sequence[str], chosen: str) -> list[str]:
    words = {"picture": "the pictures", "recording": "the recordings", **tables.WORDS}
    told = words.get(chosen, arrays.WORDS.get(chosen, chosen))
    return [f"left out beside {told}: {some(names)}"] if names else []


def _choose(entries: Sequence[Entry], kinds: Mapping[str, str]) -> str:
    """What the dataset consists of: pictures or recordings, or one kind of table or array."""
    counts = Counter(kinds.values())
    for kind in _TREES:
        if counts[kind]:
            return kind
    found = [kind for kind in counts if kind in TABLES | ARRAYS and kind != "lines"]
    if len(found) > 1:
        told = ", ".join(f"{counts[kind]} {kind}" for kind in found)
        raise DshubError(
            f"the files are of several kinds: {told}",
            hint="name those that belong together: dshub new train.csv test.csv",
        )
    if found or counts["lines"]:
        return found[0] if found else "lines"
    raise _nothing(entries)


def _nothing(entries: Sequence[Entry]) -> DshubError:
    if not entries:
        return DshubError("there is no file with anything in it", hint="name files or folders")
    reasons = {reason: entry.name for entry in entries if (reason := refusal(entry))}
    told = "; ".join(f"{name} is {reason}" for reason, name in reasons.items())
    names = some([entry.name for entry in entries])
    return DshubError(
        told or f"{names}: none of the kinds that dshub reads",
        hint="it reads class folders of pictures or recordings, CSV and TSV, JSON, parquet, "
        "Arrow, npz, IDX and plain text, in UTF-8",
    )


def _is_text_tree(chosen: str, entries: Sequence[Entry]) -> bool:
    """Texts in at least two class folders, and no file of lines for each split."""
    folders = {entry.folders for entry in entries}
    classes = {own[-1] for own in folders if own and split_word(own[-1]) is None}
    return chosen == "lines" and () not in folders and len(classes) > 1


def _given(request: Request, entries: Sequence[Entry]) -> dict[str, str]:
    """The split of each entry of which it was said."""
    given: dict[str, str] = {}
    for split, paths in request.splits.items():
        places = {path.resolve() for path in paths}
        own = [
            entry.name
            for entry in entries
            if places & {entry.path.resolve(), *entry.path.resolve().parents}
        ]
        if not own:
            told = ", ".join(map(str, paths))
            raise DshubError(f"{told} holds nothing for split {split}", hint="check the path")
        given.update(dict.fromkeys(own, split))
    return given


def _outline(  # the facts so far
    chosen: str,
    entries: Sequence[Entry],
    survey: Survey,
    given: Mapping[str, str],
    request: Request,
    notes: list[str],
) -> Outline:
    splits = {entry.name: given.get(entry.name) or _split_of(entry) for entry in entries}
    if not any(splits.values()):
        splits = dict.fromkeys(splits, "train")
        notes.append(f"no name tells of a split ({', '.join(ORDER[:3])}, …): all rows are train")
    outside = [name for name, split in splits.items() if split is None]
    if outside:
        notes.append(f"left out: {some(outside)}: in no split; --split NAME=PATH says of which")
    files = {
        split: [entry for entry in entries if splits[entry.name] == split]
        for split in ordered_splits(split for split in splits.values() if split)
    }
    if chosen in ARRAYS:
        return arrays.outline(chosen, files, survey.members, archives.stream_suffixes())
    return tables.outline(chosen, files, survey.members, header=request.header)


def _split_of(entry: Entry) -> str | None:
    folders = (split_word(folder) for folder in entry.folders)
    by_folder = next((found for found in folders if found), None)
    return by_folder or split_in(stem(entry.base, archives.stream_suffixes()))[0]
