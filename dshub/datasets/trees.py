"""Decide which folders of a tree are splits, classes, columns, or have no meaning.

`Dataset.from_folder` and `dshub new` read folders by these rules, from the root down::

    data/data/…                         the only folder at its level has no meaning
    train/…  val/…  test/…              splits, also seg_train/…, train2017/…, training_set/…
    split=train/…  year=2024/…          splits and columns, as in Hive
    cat/1.jpg  dog/more/2.jpg           classes

A single folder such as `train` beside others is a class, unless its subfolders show that it is a
split. Folders beside splits are not classes.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from dshub.catalog.file_names import composed, folded
from dshub.importing.walking import Place

_SPLIT_WORDS = {
    "train": {"train", "training", "tr"},
    "validation": {"validation", "valid", "val", "dev", "development"},
    "test": {"test", "testing", "tst", "t10k"},
    "extra": {"extra"},
    "unlabeled": {"unlabeled", "unlabelled"},
}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_SPLIT_KEYS = {"split", "subset", "partition", "set", "fold"}
_PLAIN_FOLDERS = {"images", "image", "imgs", "img", "pictures", "photos", "audio", "wavs", "wav"}
_PLAIN_FOLDERS |= {"clips", "data", "files", "jpegimages", "texts", "txt"}
_MISSING = "__HIVE_DEFAULT_PARTITION__"


def split_word(text: str) -> str | None:
    """Return the split that a word names, such as `train` for `Training`; None if there is none."""
    word = text.lower()
    return next((name for name, words in _SPLIT_WORDS.items() if word in words), None)


def ordered_splits(names: Iterable[str]) -> list[str]:
    """Sort splits in the order train, validation, test, extra, unlabeled, and then by name."""
    splits = set(names)
    return [name for name in _SPLIT_WORDS if name in splits] + sorted(splits - _SPLIT_WORDS.keys())


def pair_of(folder: str) -> tuple[str, str] | None:
    """Return the key and the value of a folder such as `year=2024`; None for other folders.

    Values are percent-encoded (Apache Hive, "Partitioned Tables").
    """
    match = _PAIR.fullmatch(folder)
    if match is None:
        return None
    return match[1], "" if match[2] == _MISSING else unquote(match[2])


def split_in_folder(folder: str) -> tuple[str, str] | None:
    """Return the split in the name of a folder, and the letters beside it; None without a split.

    For example, `seg_train` gives `train` and `seg`, and `train2017` gives `train` and nothing.
    """
    if (split := split_word(folder)) is not None:
        return split, ""
    for match in _WORD.finditer(folder):
        if (split := split_word(match[0].lower().removesuffix("set"))) is not None:
            rest = folder[: match.start()] + folder[match.end() :]
            return split, re.sub(r"[\W\d_]+", "", rest).lower()
    return None


@dataclass
class Split:
    """Folders of the files of one split.

    Attributes:
        places: folders with files.
        depth: number of folders above the classes.
        labels: class of each folder with files; empty without classes.
        loose: folders of files outside of the class folders.
        spellings: other spellings of classes, by name of the folder.
        columns: values of folders such as `year=2024`, by key and folder with files.
    """

    places: Sequence[Place]
    depth: int = 0
    labels: dict[Place, str] = field(default_factory=dict)
    loose: list[Place] = field(default_factory=list)
    spellings: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[Place, str]] = field(default_factory=dict)

    @property
    def folders(self) -> set[str]:
        """Names of the class folders."""
        return {place[self.depth] for place in self.places if len(place) > self.depth}


@dataclass
class Groups:
    """Folders at the first level with several, or with the name of a split.

    Attributes:
        places: folders with files in each folder, by its name or value.
        splits: names of the folders that are splits; empty if there are no splits.
        loose: folders of files beside these folders.
        key: key of the names, such as `split`; empty if they are names of folders.
        ambiguous: name of a split that is read as a class; empty without one.
    """

    places: dict[str, list[Place]]
    splits: list[str] = field(default_factory=list)
    loose: list[Place] = field(default_factory=list)
    key: str = ""
    ambiguous: str = ""

    @property
    def beside(self) -> list[str]:
        """Names of the folders beside splits."""
        return [name for name in self.places if self.splits and name not in self.splits]


def find_splits(places: Collection[Place]) -> Groups:
    """Find the folders that are splits.

    Args:
        places: folders with files.
    """
    depth = 0
    while True:
        groups, loose = _at(places, depth)
        keys = _keys(groups)
        if keys and not loose:
            values = {name: (pair_of(name) or ("", ""))[1] for name in groups}
            if keys & _SPLIT_KEYS and any(map(split_word, values.values())):
                return _by_value(groups, values, keys.pop())
        elif loose or len(groups) != 1 or split_word(next(iter(groups))) is not None:
            break
        depth += 1
    splits = _splits_among(groups, depth)
    word = "" if splits else next(filter(split_word, groups), "")
    return Groups(groups, splits, loose, ambiguous=word)


def _at(places: Iterable[Place], depth: int) -> tuple[dict[str, list[Place]], list[Place]]:
    """Group places by their folder at a depth; also return those without one."""
    groups: dict[str, list[Place]] = {}
    loose = []
    for place in sorted(places):
        if len(place) > depth:
            groups.setdefault(place[depth], []).append(place)
        else:
            loose.append(place)
    return dict(sorted(groups.items())), loose


def _keys(names: Collection[str]) -> set[str]:
    """Return the key of folders such as `year=2024`; empty unless all have the same key."""
    keys = {pair[0] if pair else "" for pair in map(pair_of, names)}
    return keys if len(keys) == 1 and "" not in keys else set()


def _by_value(groups: Mapping[str, list[Place]], values: Mapping[str, str], key: str) -> Groups:
    by_value: dict[str, list[Place]] = {}
    for name, places in groups.items():
        by_value.setdefault(values[name], []).extend(places)
    return Groups(by_value, list(by_value), key=key)


def _splits_among(groups: Mapping[str, Sequence[Place]], depth: int) -> list[str]:
    """Return the names of the folders that are splits."""
    found = {name: item for name in groups if (item := split_in_folder(name))}
    if len(found) == len(groups) and len({split for split, _ in found.values()}) > 1:
        return list(found)
    rests = Counter(rest for _, rest in {*found.values()})
    rest, count = max(rests.items(), key=lambda item: (item[1], not item[0]), default=("", 0))
    named = [name for name, item in found.items() if item[1] == rest]
    if count > 1 or all(map(split_word, groups)):
        return named
    words = [name for name in groups if split_word(name)]
    if len(words) != 1:
        return []
    inner = {name: set(_at(group, depth + 1)[0]) for name, group in groups.items()}
    own = inner.pop(words[0])
    if len(own) < 2:
        return []
    similar = [name for name, folders in inner.items() if folders & own]
    return [*words, *similar] if similar or not any(inner.values()) else []


def find_classes(groups: Mapping[str, Sequence[Place]], *, key: str = "") -> dict[str, Split]:
    """Find the classes and columns of splits.

    Folders of one class in different splits can differ in Unicode form and case.

    Args:
        groups: folders with files by split.
        key: key of folders such as `split=train`, which is not a column.
    """
    splits = {name: _descended(places, key) for name, places in groups.items()}
    known = {
        folded(folder)
        for split in splits.values()
        if not split.loose and len(split.folders) > 1
        for folder in split.folders
    }
    for split in splits.values():
        if len(split.folders) < 2 and not split.loose:
            split.depth = _known_level(split, known)
    labeled = [split for split in splits.values() if split.folders]
    names = _spellings([split.folders for split in labeled])
    for split in labeled:
        split.spellings = {name: names[name] for name in split.folders if names[name] != name}
        split.labels = {
            place: names[place[split.depth]] for place in split.places if len(place) > split.depth
        }
    return splits


def _descended(places: Sequence[Place], key: str) -> Split:
    """Return a split below the folders without meaning, and below those with columns."""
    split = Split(sorted(places))
    while True:
        groups, loose = _at(places, split.depth)
        keys = _keys(groups)
        if keys and not loose:
            split.columns |= {
                name: {place: (pair_of(place[split.depth]) or ("", ""))[1] for place in places}
                for name in keys - {key}
            }
        elif loose or len(groups) != 1:
            split.loose = loose if groups else []
            return split
        split.depth += 1


def _known_level(split: Split, known: Collection[str]) -> int:
    """Return the depth of the only class of a split that other splits have, too, or its depth."""
    place = split.places[0] if split.places else ()
    levels = (i for i in range(split.depth) if folded(place[i]) in known)
    return next(levels, split.depth)


def _spellings(folders: Sequence[set[str]]) -> dict[str, str]:
    """Return the class of each folder.

    Names that differ only in case are one class, unless a split has both.
    """
    composed_names = [{composed(name) for name in names} for names in folders]
    repeated = {
        spelling
        for names in composed_names
        for spelling, count in Counter(map(folded, names)).items()
        if count > 1
    }
    first: dict[str, str] = {}
    for names in composed_names:
        for name in sorted(names):
            first.setdefault(folded(name), name)
    return {
        name: composed(name) if folded(name) in repeated else first[folded(name)]
        for names in folders
        for name in names
    }


def inner_splits(split: Split) -> list[str]:
    """Return class folders with folders of splits in each of them, such as `cat/train`."""
    below: dict[str, set[str | None]] = {}
    for place in split.places:
        if len(place) > split.depth:
            inner = place[split.depth + 1 : split.depth + 2]
            below.setdefault(place[split.depth], set()).update(map(split_word, inner))
    mixed = [name for name, words in below.items() if len(words - {None}) > 1]
    return sorted(mixed) if len(below) > 1 else []


def empty_classes(
    split: Split, folders: Iterable[Place], others: Iterable[Place]
) -> tuple[set[str], set[str]]:
    """Return folders beside class folders that have no files of the dataset.

    Args:
        split: a split with classes.
        folders: all folders.
        others: folders with files of other kinds, such as text.

    Returns:
        Names of folders that are empty classes, and of those with files of other kinds.
    """
    if not split.labels:
        return set(), set()
    above = {place[: split.depth] for place in split.places}
    beside = {
        place[: split.depth + 1]
        for place in folders
        if len(place) > split.depth and place[: split.depth] in above
    }
    beside -= {place[: split.depth + 1] for place in split.places}
    used = {place[: split.depth + 1] for place in others} & beside
    return {place[-1] for place in beside - used}, {place[-1] for place in used}


def lone_folder(splits: Iterable[Split]) -> str:
    """Return the only folder of files without classes; empty if its name is not that of a class."""
    folders = {split.places[0][: split.depth][-1:] for split in splits if split.places}
    name = next(iter(folders)) if len(folders) == 1 else ()
    is_class = name and not split_in_folder(name[0]) and name[0].lower() not in _PLAIN_FOLDERS
    return name[0] if is_class and not pair_of(name[0]) else ""


def counted(names: Collection[str], nouns: str) -> str:
    """Return a number of names with a plural noun, and the first names."""
    number = f"{len(names):,} " if len(names) > 1 else ""
    return f"{number}{nouns}: {shown(names)}"


def shown(names: Iterable[str], count: int = 3) -> str:
    """Join the first names, and add the number of omitted ones."""
    listed = list(names)
    more = f" and {len(listed) - count:,} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more


def count_endings(names: Iterable[str]) -> Iterator[str]:
    """Yield each ending of file names with its count, the most common first."""
    endings = Counter(name.rpartition(".")[2].lower() if "." in name else "" for name in names)
    for ending, count in endings.most_common():
        yield f"{f'.{ending}' if ending else 'no ending'} ({count:,})"
