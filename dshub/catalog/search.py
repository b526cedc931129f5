"""Summaries of datasets, search, and suggestions for unknown names."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from dshub import _validate as valid
from dshub.errors import UnknownNameError

if TYPE_CHECKING:  # listing datasets parses no manifest
    from dshub.catalog.manifest import Manifest


class Summary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The facts of a listing with `--json`.

    Attributes:
        rows: of each split.
        size: bytes to download; None if one is unknown.
        license: SPDX identifier; None if no source states one.
    """

    name: valid.Name  # the types check the indexes of mirrors
    version: valid.Version
    title: valid.Text
    summary: valid.Text
    task: valid.Text
    tags: tuple[valid.Text, ...]
    rows: dict[valid.Key, valid.Count]
    size: valid.Size | None
    license: valid.Text | None
    synthetic: bool

    @classmethod
    def of(cls, manifest: "Manifest") -> "Summary":
        """The summary of a manifest."""
        same = ("name", "version", "title", "summary", "task", "tags", "size", "synthetic")
        return Summary(
            **{name: getattr(manifest, name) for name in same},
            rows={name: split.rows for name, split in manifest.splits.items()},
            license=manifest.license.spdx,
        )


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The part of a summary that fits a line, fast to decode ten thousand times.

    Attributes:
        rows: of all splits together.
        rest: the other fields of the summary as JSON, decoded by `whole`.
    """

    name: str
    rows: int
    size: int | None
    task: str
    summary: str
    rest: msgspec.Raw

    @classmethod
    def of(cls, item: Summary) -> "Line":
        """The line of a summary."""
        rest = {name: getattr(item, name) for name in _REST}
        rows = sum(item.rows.values())
        raw = msgspec.Raw(msgspec.json.encode(rest))
        return cls(item.name, rows, item.size, item.task, item.summary, raw)

    def whole(self) -> Summary:
        """The summary."""
        rest = msgspec.json.decode(self.rest)
        return Summary(name=self.name, size=self.size, task=self.task, summary=self.summary, **rest)


_REST = ("version", "title", "tags", "rows", "license", "synthetic")


def searchable(item: Summary, classes: Iterable[str]) -> str:
    """The text that a search looks at."""
    texts = [item.name, item.title, item.summary, item.task, *item.tags, *classes]
    return " ".join(texts).casefold()


def matches(words: Sequence[str], text: str) -> bool:
    """True if every word occurs in a `searchable` text."""
    return all(word.casefold() in text for word in words)


def classes(manifest: "Manifest") -> tuple[str, ...]:
    """The names of a dataset's classes."""
    features = manifest.features.values()
    return tuple(name for feature in features for name in getattr(feature, "names", ()))


def version_key(version: str) -> tuple[int, ...]:
    """The sort key of a version: its numbers."""
    numbers = version.partition("+")[0].split(".")
    return tuple(int(part) if re.fullmatch("[0-9]{1,18}", part) else -1 for part in numbers)


def newest_first(versions: Iterable[str]) -> list[str]:
    """Sort versions, newest first."""
    return sorted(versions, key=version_key, reverse=True)


def unknown(name: str, known: Collection[str], notes: Sequence[str] = ()) -> UnknownNameError:
    """The error for an unknown name, with suggestions.

    Args:
        name: as written by the user, such as `MNIST`, `cifar10`, `ylecun/mnist`, `mnist:train`.
        known: every dataset.
        notes: further parts of the hint, such as missing folders.
    """
    members = [other for other in known if other.startswith(f"{name}/")]
    if members:
        hint = "; ".join([f"it is a family of {', '.join(members)}", *notes])
        return UnknownNameError(kind="single dataset", name=name, close=(), hint=hint)
    close = _closest(re.split("[@:[]", name.removeprefix("hf:"))[0], known)
    hints = [] if close else ["`dshub list` shows every dataset"]
    family, slash, _ = name.partition("/")
    if name.startswith("hf:"):
        hints.append("names with hf: work only with `load` in Python")
    elif not close or (slash and family not in {*known, *_families(known)}):
        asked = name if slash else "owner/name"
        hints.append(f'load("hf:{asked}") loads from the Hugging Face hub')
    hint = "; ".join([*hints, *notes])
    return UnknownNameError(kind="dataset", name=name, close=close, hint=hint)


def _families(known: Collection[str]) -> set[str]:
    return {name.partition("/")[0] for name in known if "/" in name}


def _closest(name: str, known: Collection[str]) -> list[str]:
    """The datasets and families that a differently spelled, shortened or misspelled name can mean.

    A name that differs only in case or hyphens has one; a beginning has up to three.
    """
    import difflib

    plain, last = _plain(name), _plain(name.rpartition("/")[2])
    full = _by_plain([*known, *sorted(_families(known))])
    ends = _by_plain(known, end=True) | full
    if plain in ends or last in full:
        return [ends.get(plain) or full[last]]
    begun = [other for key, other in ends.items() if len(plain) > 2 and key.startswith(plain)]
    if begun:
        return sorted(set(begun), key=natural_order)[:3]
    close = difflib.get_close_matches(plain, ends, n=3, cutoff=0.7)
    close.sort(key=lambda match: sorted(match) != sorted(plain))  # swapped letters first
    longest = sorted(full, key=len, reverse=True)
    if len(plain) > 3:
        close += [key for key in longest if len(key) > 3 and (key in plain or plain in key)]
    return [ends[match] for match in close[:1]]


def _by_plain(names: Collection[str], *, end: bool = False) -> dict[str, str]:
    """Names by their spelling, or that of their last part, without case and hyphens."""
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(_plain(name.rpartition("/")[2] if end else name), name)
    return by_plain


def natural_order(name: str) -> tuple[str, ...]:
    """Return a sort key that puts `cifar-10` before `cifar-100`."""
    return tuple(part.zfill(6) if part.isdigit() else part for part in re.split(r"(\d+)", name))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.casefold())
