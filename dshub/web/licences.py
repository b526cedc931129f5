"""What a licence allows, in a few words, as far as its identifier says.

Identifiers are those of the SPDX licence list (https://spdx.org/licenses/); what the parts of a
Creative Commons licence mean is said at https://creativecommons.org/share-your-work/cclicenses/.
"""

import re
from dataclasses import dataclass

from dshub.manifest import License

_PARTS = {
    "BY": "Name the authors.",
    "SA": "Pass adapted versions on under the same licence.",
    "NC": "No commercial use.",
    "ND": "Pass no adapted versions on.",
}
_NOTICE = "Use, change and pass on freely; keep the copyright notice."
_PLAIN = {
    "MIT": _NOTICE,
    "BSD-2-Clause": _NOTICE,
    "BSD-3-Clause": _NOTICE,
    "ISC": _NOTICE,
    "Apache-2.0": _NOTICE,
    "CC0-1.0": "No conditions.",
    "PDDL-1.0": "No conditions.",
}
_REDISTRIBUTION = {
    "yes": "The files may be passed on.",
    "no": "The files may not be passed on: everybody gets them from the source.",
    "unknown": "Whether the files may be passed on is not known.",
}


@dataclass(frozen=True)
class Terms:
    """A licence for a person to read.

    Attributes:
        title: its identifier, or `not stated`.
        stated: whether a source states one.
        conditions: what it allows and asks, a sentence each.
        text: where the licence's text can be read; empty where it is none of SPDX's list.
    """

    title: str
    stated: bool
    conditions: tuple[str, ...]
    text: str


def terms(license_: License) -> Terms:
    """What a licence allows; of terms that are not SPDX's own, only what the manifest says."""
    spdx = license_.spdx
    if spdx is None:
        return Terms("not stated", False, (_REDISTRIBUTION[license_.redistribution],), "")  # noqa: FBT003
    words = re.findall(r"[A-Za-z0-9.+-]+", spdx)
    said = [sentence for word in words for sentence in _conditions(word)]
    if "OR" in words:  # which of them holds is the user's choice
        said = []
    told = (_REDISTRIBUTION[license_.redistribution], *dict.fromkeys(said))
    listed = len(words) == 1 and not spdx.startswith("LicenseRef-")
    return Terms(spdx, True, told, f"https://spdx.org/licenses/{spdx}.html" if listed else "")  # noqa: FBT003


def _conditions(identifier: str) -> list[str]:
    """What one licence asks."""
    if identifier in _PLAIN:
        return [_PLAIN[identifier]]
    match = re.fullmatch(r"CC-([A-Z]+(?:-[A-Z]+)*)-[0-9.]+(?:-[A-Z]+)?", identifier)
    parts = match[1].split("-") if match else []
    return [_PARTS[part] for part in parts if part in _PARTS]
