"""Summarize and search datasets, and suggest names for unknown names."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from dshub import _validate as valid
from dshub.errors import UnknownNameError

if TYPE_CHECKING:  # listings avoid this import, because they parse no manifests
    from dshub.catalog.manifest import Manifest


class Summary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Summary of a dataset for a listing with `--json`.

    Attributes:
        rows: number of rows by split.
        size: bytes to download; None if the size of a file is unknown.
        license: SPDX identifier; None if no source states one.
    """

    name: valid.Name  # these types validate the indexes of mirrors
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
        """Summarize a manifest."""
        same = ("name", "version", "title", "summary", "task", "tags", "size", "synthetic")
        return Summary(
            **{name: getattr(manifest, name) for name in same},
            rows={name: split.rows for name, split in manifest.splits.items()},
            license=manifest.license.spdx,
        )


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Line of a listing, fast to decode thousands of times.

    Attributes:
        rows: number of rows in all splits.
        details: other fields of the summary as JSON, decoded by `whole`.
    """

    name: str
    rows: int
    size: int | None
    task: str
    summary: str
    details: msgspec.Raw

    @classmethod
    def of(cls, item: Summary) -> "Line":
        """Shorten a summary to a line."""
        details = {name: getattr(item, name) for name in _DETAILS}
        rows = sum(item.rows.values())
        raw = msgspec.Raw(msgspec.json.encode(details))
        return cls(item.name, rows, item.size, item.task, item.summary, raw)

    def whole(self) -> Summary:
        """Return the full summary."""
        return Summary(
            name=self.name,
            size=self.size,
            task=self.task,
            summary=self.summary,
            **msgspec.json.decode(self.details),
        )


_DETAILS = ("version", "title", "tags", "rows", "license", "synthetic")


def searchable(item: Summary, classes: Iterable[str]) -> str:
    """Return the text to search for keywords."""
    texts = [item.name, item.title, item.summary, item.task, *item.tags, *classes]
    return " ".join(texts).casefold()


def matches(words: Sequence[str], text: str) -> bool:
    """Return whether every word occurs in a `searchable` text."""
    return all(word.casefold() in text for word in words)


def classes(manifest: "Manifest") -> tuple[str, ...]:
    """Return the class names of a dataset."""
    features = manifest.features.values()
    return tuple(name for feature in features for name in getattr(feature, "names", ()))


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version as a sort key."""
    numbers = version.partition("+")[0].split(".")
    return tuple(int(part) if re.fullmatch("[0-9]{1,18}", part) else -1 for part in numbers)


def newest_first(versions: Iterable[str]) -> list[str]:
    """Sort versions, newest first."""
    return sorted(versions, key=version_key, reverse=True)


def unknown_dataset(
    name: str, all_names: Collection[str], notes: Sequence[str] = ()
) -> UnknownNameError:
    """Return the error for an unknown name, with suggestions.

    Args:
        name: name that the user entered, such as `MNIST`, `cifar10`, `ylecun/mnist` or
            `mnist:train`.
        all_names: names of all datasets.
        notes: further parts of the hint, such as missing folders.
    """
    members = [other for other in all_names if other.startswith(f"{name}/")]
    if members:
        hint = "; ".join([f"choose a dataset of this family: {', '.join(members)}", *notes])
        return UnknownNameError(kind="single dataset", name=name, close=(), hint=hint)
    close = _closest(re.split("[@:[]", name.removeprefix("hf:"))[0], all_names)
    hints = [] if close else ["run `dshub list` to show all datasets"]
    family, slash, _ = name.partition("/")
    if name.startswith("hf:"):
        hints.append("names with hf: work only with `load` in Python")
    elif not close or (slash and family not in {*all_names, *_families(all_names)}):
        hub_name = name if slash else "owner/name"
        hints.append(f'load("hf:{hub_name}") loads from the Hugging Face hub')
    hint = "; ".join([*hints, *notes])
    return UnknownNameError(kind="dataset", name=name, close=close, hint=hint)


def _families(all_names: Collection[str]) -> set[str]:
    return {name.partition("/")[0] for name in all_names if "/" in name}


def _closest(name: str, all_names: Collection[str]) -> list[str]:
    """Return the datasets and families closest to a misspelled or shortened name.

    A prefix has up to three results, and any other name has one at most.
    """
    import difflib

    plain, last = _plain(name), _plain(name.rpartition("/")[2])
    full = _by_plain([*all_names, *sorted(_families(all_names))])
    ends = _by_plain(all_names, end=True) | full
    if plain in ends or last in full:
        return [ends.get(plain) or full[last]]
    completed = [other for key, other in ends.items() if len(plain) > 2 and key.startswith(plain)]
    if completed:
        return sorted(set(completed), key=natural_order)[:3]
    close = difflib.get_close_matches(plain, ends, n=3, cutoff=0.7)
    close.sort(
        key=lambda match: sorted(match) != sorted(plain)
    )  # prefer names with swapped letters
    longest = sorted(full, key=len, reverse=True)
    if len(plain) > 3:
        close += [key for key in longest if len(key) > 3 and (key in plain or plain in key)]
    return [ends[match] for match in close[:1]]


def _by_plain(names: Collection[str], *, end: bool = False) -> dict[str, str]:
    """Index names by their `_plain` spelling, or by the spelling of their last part."""
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(_plain(name.rpartition("/")[2] if end else name), name)
    return by_plain


def natural_order(name: str) -> tuple[str, ...]:
    """Return a sort key that puts `cifar-10` before `cifar-100`."""
    return tuple(part.zfill(6) if part.isdigit() else part for part in re.split(r"(\d+)", name))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.casefold())
