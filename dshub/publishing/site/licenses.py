"""Explain licenses in a few words, as far as their identifiers say.

Identifiers are those of the SPDX license list (https://spdx.org/licenses/). The parts of Creative
Commons licenses are explained at https://creativecommons.org/share-your-work/cclicenses/.
"""

import re
from typing import NamedTuple

from dshub.catalog.manifest import License

_PARTS = {
    "BY": "Credit the authors.",
    "SA": "Share adaptations under the same license.",
    "NC": "No commercial use.",
    "ND": "Do not share adaptations.",
}
_NOTICE = "Free to use, change and share; keep the copyright notice."
_CONDITIONS = {
    "MIT": _NOTICE,
    "BSD-2-Clause": _NOTICE,
    "BSD-3-Clause": _NOTICE,
    "ISC": _NOTICE,
    "Apache-2.0": _NOTICE,
    "CC0-1.0": "No conditions.",
    "PDDL-1.0": "No conditions.",
}
_REDISTRIBUTION = {
    "yes": "The files can be shared.",
    "no": "The files cannot be shared; download them from the source.",
    "unknown": "It is unknown whether the files can be shared.",
}


class Terms(NamedTuple):
    """A license in words.

    Attributes:
        title: its identifier; empty if no source states one.
        conditions: sentences.
        url: of its text, if it is in the list of SPDX.
    """

    title: str
    conditions: list[str]
    url: str


def explain(terms: License) -> Terms:
    """Explain a license; of licenses without an SPDX identifier, only what the manifest says."""
    redistribution = _REDISTRIBUTION[terms.redistribution]
    words = re.findall(r"[A-Za-z0-9.+-]+", terms.spdx or "")
    conditions = [sentence for word in words for sentence in _conditions(word)]
    if "OR" in words:  # the user chooses one of them
        conditions = []
    listed = len(words) == 1 and not words[0].startswith("LicenseRef-")
    url = f"https://spdx.org/licenses/{terms.spdx}.html" if listed else ""
    return Terms(terms.spdx or "", [redistribution, *dict.fromkeys(conditions)], url)


def _conditions(identifier: str) -> list[str]:
    if identifier in _CONDITIONS:
        return [_CONDITIONS[identifier]]
    match = re.fullmatch(r"CC-([A-Z]+(?:-[A-Z]+)*)-[0-9.]+(?:-[A-Z]+)?", identifier)
    return [_PARTS[part] for part in match[1].split("-") if part in _PARTS] if match else []
