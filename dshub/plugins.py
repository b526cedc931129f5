"""The only import by name: readers, archives, transports, adapters and commands.

A plug-in of some kind is a module in the package of that kind, named as a manifest, a URL or a
user names it. Third-party packages add theirs through entry points of the group `dshub.<kind>`
(`dshub.readers`, …), each naming a module with the same contents.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from dshub.errors import DshubError, UnknownNameError

Kind = Literal["readers", "archives", "transports", "adapters", "cli"]

_WORDS = {
    "readers": "reader",
    "archives": "archive kind",
    "transports": "transport",
    "adapters": "adapter",
    "cli": "command",
}


@cache
def built_in(kind: Kind) -> tuple[str, ...]:
    """Names of dshub's own plug-ins of a kind, sorted, without importing them or their package."""
    found = (path.stem for path in (Path(__file__).parent / kind).glob("*.py"))
    return tuple(sorted(name.rstrip("_") for name in found if not name.startswith("_")))


@cache
def _third_party(kind: Kind) -> dict[str, str]:
    from importlib.metadata import entry_points  # 50 ms: only when a name is not one of ours

    return {point.name: point.value for point in entry_points(group=f"dshub.{kind}")}


def names(kind: Kind) -> tuple[str, ...]:
    """Every name of a kind, third-party ones included, sorted."""
    return tuple(sorted({*built_in(kind), *_third_party(kind)}))


def module(kind: Kind, name: str) -> ModuleType:
    """Import the plug-in `name` of a kind.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name in built_in(kind):
        keyword = name == "import"  # the one name that cannot be a module's
        return import_module(f"dshub.{kind}.{name}{'_' if keyword else ''}")
    if name in _third_party(kind):
        return import_module(_third_party(kind)[name])
    import difflib

    known = names(kind)
    close = difflib.get_close_matches(name, known, n=2)
    raise UnknownNameError(kind=_WORDS[kind], name=name, close=close, known=known)


def adapter(framework: str, verb: Literal["rows", "batches"]) -> Callable[..., Any]:
    """What an adapter does with a dataset (`rows`), or with a loader (`batches`).

    Raises:
        UnknownNameError: there is no such adapter.
        DshubError: it has no such function.
    """
    found = getattr(module("adapters", framework), verb, None)
    if found is None:
        other = "ds.batches(…)" if verb == "rows" else "a dataset"
        raise DshubError(
            f"the adapter {framework} makes no {verb}",
            hint=f"it takes {other}: {other.replace('a dataset', 'ds')}.to({framework!r})",
        )
    made: Callable[..., Any] = found
    return made
