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
    if terms.spdx is None:
        unknown = "unknown" in map(str.casefold, words)
        return "no source states its licence" if unknown else ""
    identifiers = re.findall(r"[\w.+-]+", terms.spdx.casefold())
    known = set().union(*map(_parts, identifiers))
    unwanted = [word for word in words if word.casefold() in known]
    return f"its licence is {terms.spdx}, and {unwanted[0]} is denied" if unwanted else ""


def _parts(identifier: str) -> set[str]:
    """What an identifier can be called by; `nc` also where it spells that out."""
    spelt = re.search(r"non-?commercial", identifier)
    return {identifier, *re.split(r"[-.]", identifier)} | ({"nc"} if spelt else set())
