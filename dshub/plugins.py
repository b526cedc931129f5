"""The only import by name: readers, archives, transports, adapters, exports and commands.

A plug-in of some kind is a module in the package of that kind, named as a manifest, a URL or a
user names it. Third-party packages add theirs through entry points of the group `dshub.<kind>`
(`dshub.formats`, …), each naming a module with the same contents. Those of the group
`dshub.registry` name a package, or a folder in one, that holds manifests; it is never imported.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from dshub.errors import DshubError, UnknownNameError

Kind = Literal["formats", "archives", "transports", "adapters", "export", "cli"]

_PLACES = {"transports": "download/transports"}  # of kinds whose package lies deeper

_WORDS = {
    "formats": "format",
    "archives": "archive kind",
    "transports": "transport",
    "adapters": "adapter",
    "export": "export format",
    "cli": "command",
}


_MEANT = {  # what frameworks are called elsewhere
    "datasets": "hf",
    "huggingface": "hf",
    "np": "numpy",
    "pd": "pandas",
    "pytorch": "torch",
    "tensorflow": "tf",
}


@cache
def built_in(kind: Kind) -> tuple[str, ...]:
    """Names of dshub's own plug-ins of a kind, sorted, without importing them or their package."""
    folder = Path(__file__).parent / _PLACES.get(kind, kind)
    found = (
        path.stem
        for path in folder.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    )
    return tuple(sorted(name.rstrip("_") for name in found if not name.startswith("_")))


@cache
def _third_party(kind: Kind) -> dict[str, str]:
    return dict(_announced(f"dshub.{kind}"))


@cache
def registries() -> tuple[Path, ...]:
    """The folders of manifests that installed packages announce, in the order of their names.

    An entry point `anything = "package.folder"` of the group `dshub.registry` means the folder of
    that package, which need hold no code. Missing folders are ignored.
    """
    points = sorted(_announced("dshub.registry"))
    return tuple(folder for _, value in points for folder in _folders(value))


def _announced(group: str) -> list[tuple[str, str]]:
    """Name and value of each entry point of a group."""
    from importlib.metadata import entry_points  # takes as long as all else of `dshub --help`

    return [(point.name, point.value) for point in entry_points(group=group)]


def _folders(value: str) -> list[Path]:
    package, *inner = value.partition(":")[0].strip().split(".")
    if not package.isidentifier():
        return []
    spec = find_spec(package)  # of a top-level name: this runs no code of the package
    places = spec.submodule_search_locations if spec is not None else None
    found = [Path(place).joinpath(*inner) for place in places or ()]
    return [folder for folder in found if folder.is_dir()]


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
        place = _PLACES.get(kind, kind).replace("/", ".")
        return import_module(f"dshub.{place}.{name}{'_' if keyword else ''}")
    if name in _third_party(kind):
        return import_module(_third_party(kind)[name])
    import difflib

    known = names(kind)
    close = difflib.get_close_matches(str(name), known, n=2)
    if kind == "adapters" and name in _MEANT:
        close = [_MEANT[name]]
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


class FrameworkMethods:
    """Methods that hand rows or batches to the adapter of a framework."""

    _verb: ClassVar[Literal["rows", "batches"]]

    def torch(self, **options: Any) -> Any:
        """For PyTorch; see `dshub.adapters.torch`."""
        return self.to("torch", **options)

    def tf(self, **options: Any) -> Any:
        """A `tf.data.Dataset`; see `dshub.adapters.tf`."""
        return self.to("tf", **options)

    def to(self, framework: str, **options: Any) -> Any:
        """For a framework, by the name of its adapter.

        Args:
            **options: of that adapter, such as `device="cuda"` for batches of torch.

        Raises:
            UnknownNameError: there is no such adapter.
            DshubError: the adapter does not take rows, or batches.
            MissingExtraError: the framework is not installed.
        """
        return adapter(framework, self._verb)(self, **options)
