"""Which licences somebody does not want."""

import re
from collections.abc import Sequence

from dshub.manifest.model import License


def denied(terms: License, words: Sequence[str]) -> str:
    """Why a licence is not wanted; empty where it is, or where nothing is said against it.

    Args:
        terms: of a dataset.
        words: SPDX identifiers (`CC-BY-NC-4.0`), parts of them (`nc`, `nd`, `gpl`), or `unknown`,
            for what no source states.
    """
    unwanted = {word.casefold() for word in words}
    if terms.spdx is None:
        return "no source states its licence" if "unknown" in unwanted else ""
    for identifier in re.findall(r"[\w.+-]+", terms.spdx):
        known = _parts(identifier.casefold()) & unwanted
        if known:
            return f"{min(known)} is denied, and its licence is {terms.spdx}"
    return ""


def _parts(identifier: str) -> set[str]:
    """What an identifier can be called by; `nc` also where it spells that out."""
    spelt = re.search(r"non-?commercial", identifier)
    return {identifier, *re.split(r"[-.]", identifier)} | ({"nc"} if spelt else set())
