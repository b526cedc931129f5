"""Find plug-ins by name: formats, archives, transports, adapters, exports and commands.

A plug-in is a module in the package of its kind; its file name is the name that a manifest, a URL
or a user gives. Third-party packages add theirs through entry points of the group `dshub.<kind>`
(`dshub.formats`, …), each naming a module with the same contents. Entry points of the group
`dshub.registry` name a folder of manifests in a package, which is never imported.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from dshub.errors import DshubError, UnknownNameError

Kind = Literal["formats", "archives", "transports", "adapters", "export", "cli"]

_PACKAGES = {"transports": "download.transports"}  # kinds whose package is not dshub.<kind>

_WORDS = {
    "formats": "format",
    "archives": "archive kind",
    "transports": "transport",
    "adapters": "adapter",
    "export": "export format",
    "cli": "command",
}

_ALIASES = {  # what frameworks are called elsewhere
    "datasets": "hf",
    "huggingface": "hf",
    "np": "numpy",
    "pd": "pandas",
    "pytorch": "torch",
    "tensorflow": "tf",
}


@cache
def built_in(kind: Kind) -> tuple[str, ...]:
    """Return the sorted names of dshub's own plug-ins of a kind, without importing any."""
    folder = Path(__file__).parent.joinpath(*_PACKAGES.get(kind, kind).split("."))
    stems = (
        path.stem
        for path in folder.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    )
    return tuple(sorted(stem.rstrip("_") for stem in stems if not stem.startswith("_")))


@cache
def _entry_points(group: str) -> list[tuple[str, str]]:
    """Return name and value of each entry point of a group, sorted."""
    from importlib.metadata import entry_points  # takes as long as all else of `dshub --help`

    return sorted((point.name, point.value) for point in entry_points(group=group))


def registries() -> tuple[Path, ...]:
    """Return the folders of manifests in installed packages, in the order of their names.

    An entry point `anything = "package.folder"` of the group `dshub.registry` means the folder of
    that package, which need not contain code. Missing folders are ignored.
    """
    points = _entry_points("dshub.registry")
    return tuple(folder for _, value in points for folder in _folders(value))


def _folders(value: str) -> list[Path]:
    package, *inner = value.partition(":")[0].strip().split(".")
    if not package.isidentifier():
        return []
    spec = find_spec(package)  # of a top-level name: this runs no code of the package
    places = spec.submodule_search_locations if spec is not None else None
    folders = [Path(place).joinpath(*inner) for place in places or ()]
    return [folder for folder in folders if folder.is_dir()]


def names(kind: Kind) -> tuple[str, ...]:
    """Return every name of a kind, including third-party ones, sorted."""
    return tuple(sorted({*built_in(kind), *dict(_entry_points(f"dshub.{kind}"))}))


def module(kind: Kind, name: str) -> ModuleType:
    """Import a plug-in.

    Raises:
        UnknownNameError: there is no plug-in of that name.
    """
    if name in built_in(kind):
        keyword = "_" if name == "import" else ""  # a module cannot be named `import`
        return import_module(f"dshub.{_PACKAGES.get(kind, kind)}.{name}{keyword}")
    others = dict(_entry_points(f"dshub.{kind}"))
    if name in others:
        return import_module(others[name])
    alias = _ALIASES.get(name) if kind == "adapters" else None
    close = [alias] if alias else None
    raise UnknownNameError(kind=_WORDS[kind], name=name, close=close, known=names(kind))


class FrameworkMethods:
    """Methods that hand rows or batches to the adapter of a framework."""

    _verb: ClassVar[Literal["rows", "batches"]]

    def torch(self, **options: Any) -> Any:
        """Convert for PyTorch; see `dshub.adapters.torch`."""
        return self.to("torch", **options)

    def tf(self, **options: Any) -> Any:
        """Return a `tf.data.Dataset`; see `dshub.adapters.tf`."""
        return self.to("tf", **options)

    def to(self, framework: str, **options: Any) -> Any:
        """Convert for a framework, by the name of its adapter.

        Args:
            framework: `torch`, `tf`, `jax`, …
            **options: of that adapter, such as `device="cuda"` for batches of torch.

        Raises:
            UnknownNameError: there is no such adapter.
            DshubError: the adapter does not take rows, or batches.
            MissingExtraError: the framework is not installed.
        """
        convert = getattr(module("adapters", framework), self._verb, None)
        if convert is None:
            other = "ds.batches(…)" if self._verb == "rows" else "ds"
            raise DshubError(
                f"the adapter {framework} makes no {self._verb}",
                hint=f"it takes {'batches' if self._verb == 'rows' else 'a dataset'}: "
                f"{other}.to({framework!r})",
            )
        return convert(self, **options)
