"""Summarize and search datasets."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from dshub import _validate as valid
from dshub.catalog.names import plain

if TYPE_CHECKING:  # listings avoid this import, because they parse no manifests
    from dshub.catalog.manifest import Manifest


class Summary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Summary of a dataset for a listing with `--json`.

    Attributes:
        rows: number of rows by split.
        size: bytes to download; None if the size of a file is unknown.
        license: SPDX identifier; None if no source states one.
        aliases: names in other libraries.
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
    aliases: tuple[valid.Text, ...] = ()

    @classmethod
    def of(cls, manifest: "Manifest") -> "Summary":
        """Summarize a manifest."""
        same = ("name", "version", "title", "summary", "task", "tags", "size", "synthetic")
        return Summary(
            **{name: getattr(manifest, name) for name in (*same, "aliases")},
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
    aliases: tuple[str, ...]
    details: msgspec.Raw

    @classmethod
    def of(cls, item: Summary) -> "Line":
        """Shorten a summary to a line."""
        details = {name: getattr(item, name) for name in _DETAILS}
        rows = sum(item.rows.values())
        raw = msgspec.Raw(msgspec.json.encode(details))
        return cls(item.name, rows, item.size, item.task, item.summary, item.aliases, raw)

    def whole(self) -> Summary:
        """Return the full summary."""
        return Summary(
            name=self.name,
            size=self.size,
            task=self.task,
            summary=self.summary,
            aliases=self.aliases,
            **msgspec.json.decode(self.details),
        )


_DETAILS = ("version", "title", "tags", "rows", "license", "synthetic")


def searchable(item: Summary, classes: Iterable[str]) -> str:
    """Return the text to search, in `plain` spelling.

    The text has three lines: name and aliases, the title, and all other fields, with blanks between
    fields and between the words of the summary.
    """
    rest = [item.task, *item.tags, *classes, *item.summary.split()]
    lines = [[item.name, *item.aliases], [item.title], rest]
    return "\n".join(" ".join(filter(None, map(plain, fields))) for fields in lines)


def query_words(words: Iterable[str]) -> list[str]:
    """Return the words of a query in `plain` spelling."""
    return list(filter(None, map(plain, " ".join(words).split())))


def rank(words: Sequence[str], text: str) -> int | None:
    """Return how well a dataset matches a query, 0 for the best match, or None for no match.

    The order is: a name, a family or a part of a name equals the query; all words occur in names;
    in names or the title; at the beginning of words; anywhere. `site.js` uses the same order.

    Args:
        words: result of `query_words`.
        text: result of `searchable`.
    """
    if not all(word in text for word in words):
        return None
    names, title, _ = text.split("\n")
    whole = "".join(words)
    if whole in names.split(" "):
        return 0
    if f"/{whole}/" in f"/{names.replace(' ', '/ /')}/":
        return 1
    if all(word in names for word in words):
        return 2
    if all(word in names or word in title for word in words):
        return 3
    starts = f" {text}".replace("\n", " ")
    return 4 if all(f" {word}" in starts for word in words) else 5


def near_words(words: Iterable[str], texts: Iterable[str], names: Iterable[str]) -> list[str]:
    """Suggest replacements for query words that no text contains.

    Args:
        words: result of `query_words`.
        texts: results of `searchable`.
        names: names of datasets, to suggest parts of them.
    """
    import difflib

    everything = "\n".join(texts)
    parts = re.split("[^a-z0-9]+", " ".join(names))
    vocabulary = dict.fromkeys([*parts, *re.split(r"[\s/]+", everything)])
    return [
        match
        for word in words
        if word not in everything
        for match in difflib.get_close_matches(word, vocabulary, n=2, cutoff=0.75)
    ]


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
