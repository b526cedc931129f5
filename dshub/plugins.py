"""Find plug-ins by name: formats, archives, transports, adapters, exports and commands.

A plug-in is a module in a package for its kind, such as `dshub.formats`. Manifests, URLs and users
refer to it by its file name. Third-party packages register modules as entry points of the group
`dshub.<kind>`, and folders of manifests as entry points of the group `dshub.registry`.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from dshub.errors import DshubError, UnknownNameError

Kind = Literal["formats", "archives", "transports", "adapters", "export", "cli"]

_PACKAGES = {"transports": "download.transports"}  # kinds with a package other than `dshub.<kind>`

_TITLES = {
    "formats": "format",
    "archives": "archive kind",
    "transports": "transport",
    "adapters": "adapter",
    "export": "export format",
    "cli": "command",
}

_ALIASES = {  # alternative names of frameworks
    "datasets": "hf",
    "huggingface": "hf",
    "np": "numpy",
    "pd": "pandas",
    "pytorch": "torch",
    "tensorflow": "tf",
}


@cache
def built_in(kind: Kind) -> tuple[str, ...]:
    """Return the sorted names of the built-in plug-ins of a kind, without importing them."""
    folder = Path(__file__).parent.joinpath(*_PACKAGES.get(kind, kind).split("."))
    stems = (
        path.stem
        for path in folder.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    )
    return tuple(sorted(stem.rstrip("_") for stem in stems if not stem.startswith("_")))


@cache
def _entry_points(group: str) -> list[tuple[str, str]]:
    """Return the sorted names and values of the entry points of a group."""
    # imported lazily, because the import slows down `--help`
    from importlib.metadata import entry_points

    return sorted((point.name, point.value) for point in entry_points(group=group))


def registries() -> tuple[Path, ...]:
    """Return the manifest folders of installed packages, sorted by entry point.

    An entry point `NAME = "package.folder"` of the group `dshub.registry` refers to a folder in a
    package, which is not imported. Missing folders are ignored.
    """
    points = _entry_points("dshub.registry")
    return tuple(folder for _, value in points for folder in _folders(value))


def _folders(value: str) -> list[Path]:
    package, *inner = value.partition(":")[0].strip().split(".")
    if not package.isidentifier():
        return []
    spec = find_spec(package)  # does not run code, because the name is top-level
    locations = spec.submodule_search_locations if spec is not None else None
    folders = [Path(location).joinpath(*inner) for location in locations or ()]
    return [folder for folder in folders if folder.is_dir()]


def names(kind: Kind) -> tuple[str, ...]:
    """Return the sorted names of all plug-ins of a kind, including third-party ones."""
    return tuple(sorted({*built_in(kind), *dict(_entry_points(f"dshub.{kind}"))}))


def module(kind: Kind, name: str) -> ModuleType:
    """Import a plug-in.

    Raises:
        UnknownNameError: the plug-in does not exist.
    """
    if name in built_in(kind):
        suffix = "_" if name == "import" else ""  # `import` is a keyword, not a module name
        return import_module(f"dshub.{_PACKAGES.get(kind, kind)}.{name}{suffix}")
    third_party = dict(_entry_points(f"dshub.{kind}"))
    if name in third_party:
        return import_module(third_party[name])
    alias = _ALIASES.get(name) if kind == "adapters" else None
    close = [alias] if alias else None
    raise UnknownNameError(kind=_TITLES[kind], name=name, close=close, known=names(kind))


class FrameworkMethods:
    """Mixin with methods that convert rows or batches for a framework."""

    _verb: ClassVar[Literal["rows", "batches"]]

    def to(self, framework: str, **options: Any) -> Any:
        """Convert to the types of a framework.

        Args:
            framework: name of an adapter: `torch`, `tf`, `jax`, …
            **options: options of the adapter, such as `device="cuda"` for batches of torch.

        Raises:
            UnknownNameError: the adapter does not exist.
            DshubError: the adapter does not support rows or batches.
            MissingExtraError: the framework is not installed.
        """
        adapter = module("adapters", framework)
        convert = getattr(adapter, self._verb, None)
        if convert is None:
            subject = "ds.batches(…)" if self._verb == "rows" else "ds"
            shown = hasattr(adapter, "log")
            hint = f"{adapter.__name__}.log(ds, …)" if shown else f"{subject}.to({framework!r})"
            message = f"the adapter {framework} does not support {self._verb}"
            raise DshubError(message, hint=f"use {hint}")
        return convert(self, **options)
