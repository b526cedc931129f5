"""Match names of files and folders in any Unicode form and case.

macOS stores `é` as `e` and an accent in some archives (NFD), and other systems as one character
(NFC, Unicode Standard Annex 15). Windows and macOS ignore case. So a table written on one system
can spell the name of a file from another system differently.
"""

import unicodedata
from collections.abc import Iterable

_LONGEST = 1024  # characters to normalize at most, because that takes quadratic time


def composed(name: str) -> str:
    """Return a name in Unicode normalization form C."""
    is_plain = name.isascii() or len(name) > _LONGEST
    return name if is_plain else unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """Return a key that is equal for the spellings of a name."""
    return name.lower() if name.isascii() else composed(composed(name).casefold())


class FileNames:
    """Names of files, which can be found in other spellings.

    Args:
        names: names as they are stored.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names if isinstance(names, set | dict) else set(names)
        self._spellings: dict[str, list[str]] | None = None

    def find(self, name: str) -> list[str]:
        """Return the stored names that a name means.

        These are the name itself, or else the names that differ only in Unicode form, or else those
        that differ also in case. More than one name is ambiguous.
        """
        if name in self._names:
            return [name]
        if self._spellings is None:  # rarely needed
            self._spellings = {}
            for stored in self._names:
                self._spellings.setdefault(folded(stored), []).append(stored)
        similar = sorted(self._spellings.get(folded(name), ()))
        return [other for other in similar if composed(other) == composed(name)] or similar
