"""Fingerprints: SHA-256 over which rows and columns a dataset has."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dshub.dataset.selection import Selection, Span, describe


def fingerprint(
    identity: Sequence[str], selection: Selection, names: Sequence[str], *, decoded: bool
) -> str:
    """Of some rows and columns of a source; see `Dataset.fingerprint`."""
    parts: list[Any] = [list(identity), describe(selection), list(names)]
    parts += [] if decoded else [["files"]]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def table_identity(recipe: Mapping[str, Any]) -> str:
    """What tells a table from any other, by the content of its recipe."""
    return msgspec.json.encode(recipe, order="sorted").decode()


def split_fingerprint(recipe: Mapping[str, Any], rows: int, names: Sequence[str]) -> str:
    """Of a whole split, as loading it gives; the split need not be prepared.

    Args:
        recipe: content of its recipe.
        rows: how many it has.
        names: of its columns, in order.
    """
    return fingerprint([table_identity(recipe)], Span(0, rows), names, decoded=True)
