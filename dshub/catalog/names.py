"""Match names in any spelling, and suggest names for unknown ones.

Case, blanks, `-`, `_` and other punctuation do not matter: `FashionMNIST` and `fashion_mnist` mean
`fashion-mnist`. `/` separates a family from its datasets.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from dshub.catalog.paths import path_hint
from dshub.errors import UnknownNameError

_PUNCTUATION = re.compile(r"[^\w/]+|_+")


def plain(text: str) -> str:
    """Return a text in lower case without blanks and punctuation, except for `/`."""
    return _PUNCTUATION.sub("", text.casefold())


def spelled(name: str, known: Collection[str]) -> list[str]:
    """Return the known names that `name` means: itself, or those with the same `plain` text."""
    if name in known:
        return [name]
    key = plain(name)
    return [other for other in known if plain(other) == key] if key else []


def members_of(family: str, names: Iterable[str]) -> list[str]:
    """Return the names in a family, in any spelling, in natural order."""
    start = f"{plain(family)}/"
    return sorted((name for name in names if plain(name).startswith(start)), key=natural_order)


class Aliases:
    """Names of datasets in other libraries, in any spelling.

    Args:
        aliases: names in other libraries by name of the dataset.
    """

    def __init__(self, aliases: Mapping[str, Sequence[str]]) -> None:
        self._datasets: dict[str, list[str]] = {}
        for name, others in aliases.items():
            for key in dict.fromkeys(map(plain, others)):
                self._datasets.setdefault(key, []).append(name)

    def find(self, name: str) -> list[str]:
        """Return the datasets that have a name as an alias."""
        return self._datasets.get(plain(name), [])

    def members(self, family: str) -> list[str]:
        """Return the datasets that have an alias in a family, in natural order."""
        keys = members_of(family, self._datasets)
        return sorted({name for key in keys for name in self._datasets[key]}, key=natural_order)


def ambiguous(kind: str, name: str, choices: Iterable[str]) -> UnknownNameError:
    """Return the error for a name that means several things in another spelling."""
    hint = f"it could mean {' or '.join(choices)}; write one of them in full"
    return UnknownNameError(kind=f"single {kind}", name=name, close=(), hint=hint)


def unknown_dataset(
    name: str,
    all_names: Collection[str],
    notes: Sequence[str] = (),
    members: Sequence[str] = (),
) -> UnknownNameError:
    """Return the error for an unknown name, with suggestions.

    Args:
        name: name that the user entered, such as `mnits`, `owner/name`, `glue` or `data.csv`.
        all_names: names of all datasets.
        notes: further parts of the hint, such as missing folders.
        members: datasets, if `name` is a family.
    """
    if members:
        hint = "; ".join([f"choose a dataset of this family: {', '.join(members)}", *notes])
        return UnknownNameError(kind="single dataset", name=name, close=(), hint=hint)
    if hint := path_hint(name):
        return UnknownNameError(kind="dataset", name=name, close=(), hint=hint)
    close = closest(re.split("[@:[]", name.removeprefix("hf:"))[0], all_names)
    hints = [] if close else ["run `dshub list` to show all datasets"]
    family, slash, _ = name.partition("/")
    if name.startswith("hf:"):
        hints.append("names with hf: work only with `load` in Python and `dshub export`")
    elif not close or (slash and family not in {*all_names, *_families(all_names)}):
        hub_name = name if slash else "owner/name"
        hints.append(f'load("hf:{hub_name}") loads from the Hugging Face hub')
    hint = "; ".join([*hints, *notes])
    return UnknownNameError(kind="dataset", name=name, close=close, hint=hint)


def _families(all_names: Collection[str]) -> set[str]:
    return {name.partition("/")[0] for name in all_names if "/" in name}


def closest(name: str, all_names: Collection[str]) -> list[str]:
    """Return the datasets and families closest to a misspelled or shortened name.

    A prefix has up to three results, and any other name has one at most.
    """
    import difflib

    key, last = plain(name), plain(name.rpartition("/")[2])
    full = _by_plain([*all_names, *sorted(_families(all_names))])
    ends = _by_plain(all_names, end=True) | full
    if key in ends or last in full:
        return [ends.get(key) or full[last]]
    completed = [other for end, other in ends.items() if len(key) > 2 and end.startswith(key)]
    if completed:
        return sorted(set(completed), key=natural_order)[:3]
    close = difflib.get_close_matches(key, ends, n=3, cutoff=0.7)
    close.sort(key=lambda match: sorted(match) != sorted(key))  # prefer names with the same letters
    longest = sorted(full, key=len, reverse=True)
    if len(key) > 3:
        close += [other for other in longest if len(other) > 3 and (other in key or key in other)]
    return [ends[match] for match in close[:1]]


def _by_plain(names: Collection[str], *, end: bool = False) -> dict[str, str]:
    """Index names by their `plain` spelling, or by the spelling of their last part."""
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name.rpartition("/")[2] if end else name), name)
    return by_plain


def natural_order(name: str) -> tuple[str, ...]:
    """Return a sort key that puts `cifar-10` before `cifar-100`."""
    return tuple(part.zfill(6) if part.isdigit() else part for part in re.split(r"(\d+)", name))
