"""Names: which split a file's name tells of, and what resources, columns and classes are called."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

from dshub.manifest.checks import unused

_SPLITS = {
    "train": {"train", "training", "tr"},
    "validation": {"validation", "valid", "val", "dev", "development"},
    "test": {"test", "testing", "tst", "t10k"},
    "extra": {"extra"},
    "unlabeled": {"unlabeled", "unlabelled"},
}
ORDER = tuple(_SPLITS)
_LONGEST = 200  # characters of a name


def split_word(text: str) -> str | None:
    """The split that a folder of that name means: `train` for `Training`; None for none."""
    word = text.lower()
    return next((name for name, words in _SPLITS.items() if word in words), None)


def split_in(text: str) -> tuple[str | None, str]:
    """The split that a file's name tells of, and what is left of the name without it.

    `train-images-idx3-ubyte.gz` is `train`, and `images-idx3-ubyte.gz`; `x_train` is `train`, and
    `x`. Where two words of it are splits, the first counts.
    """
    words = re.split(r"([-_. ]+)", text)
    for i in range(0, len(words), 2):
        found = split_word(words[i])
        if found is not None:
            rest = "".join(words[:i]).rstrip("-_. ") + "".join(words[i + 1 :])
            return found, rest.lstrip("-_ ") if i == 0 else rest
    return None, text


def ordered_splits(names: Iterable[str]) -> list[str]:
    """Splits in the usual order, others after them by name."""
    known = {name: i for i, name in enumerate(ORDER)}
    return sorted(set(names), key=lambda name: (known.get(name, len(known)), name))


def key(text: str, taken: Collection[str] = (), *, instead: str = "part") -> str:
    """A name for a table of a manifest: a-z and 0-9 with `_` or `-` between; not one that is taken.

    Args:
        text: what it is called by the person.
        taken: names that others have.
        instead: the name where nothing of the text is left, such as in Chinese.
    """
    plain = (
        unicodedata.normalize("NFKD", text[:_LONGEST]).encode("ascii", "ignore").decode().lower()
    )
    plain = re.sub(r"[^a-z0-9_-]+", "_", plain)
    plain = re.sub(r"[_-]+", lambda run: "_" if "_" in run[0] else run[0], plain)
    plain = plain.strip("_-") or instead
    return unused(plain, taken, "_")


def dataset_name(text: str) -> str:
    """The last part of a dataset's name, from that of a folder or a file."""
    return key(text.partition(".")[0] or text, instead="data").replace("_", "-")


def class_order(names: Iterable[str]) -> list[str]:
    """Classes in the order of their numbers where all are numbers, otherwise of their characters.

    Characters are compared as Python, and with it every loader of class folders, compares them.
    """
    found = sorted(set(names))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in found):
        found.sort(key=lambda name: (int(name), name))
    return found


def stem(name: str, suffixes: Sequence[str]) -> str:
    """A file's name without its endings, also of a compression: `train` for `train.csv.gz`."""
    lower = name.lower()
    for suffix in suffixes:
        if lower.endswith(suffix):
            name = name[: -len(suffix)]
            break
    head, dot, tail = name.rpartition(".")
    return head if dot and head and re.fullmatch(r"[A-Za-z0-9]{1,8}", tail) else name
