"""Download, verify and load datasets.

Use the default hub::

    from dshub import load
    train = load("mnist", split="train")

or a hub with your own settings::

    from dshub import Hub, Settings
    hub = Hub(settings=Settings.read(jobs=4))
    train = hub.load("mnist", split="train")

Public names are imported on first use, so that `import dshub` does not load NumPy, Arrow or a
framework.
"""

TYPE_CHECKING = False  # importing typing would double the time of `import dshub`
if TYPE_CHECKING:
    from dshub.catalog.features import Feature
    from dshub.catalog.manifest import Manifest, Resource, Split
    from dshub.catalog.registry import Registry
    from dshub.datasets.dataset import Dataset
    from dshub.errors import DshubError
    from dshub.hub.familiar.functions import *  # noqa: F403  # exactly `_FAMILIAR`
    from dshub.hub.functions import fetch, info, load, load_data, names
    from dshub.hub.hub import Hub
    from dshub.loading.loader import Loader
    from dshub.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "DshubError",
    "Feature",
    "Hub",
    "Loader",
    "Manifest",
    "Registry",
    "Resource",
    "Settings",
    "Split",
    "fetch",
    "info",
    "load",
    "load_data",
    "names",
]

_MODULES = {
    "Dataset": "datasets.dataset",
    "DshubError": "errors",
    "Feature": "catalog.features",
    "Hub": "hub.hub",
    "Loader": "loading.loader",
    "Manifest": "catalog.manifest",
    "Registry": "catalog.registry",
    "Resource": "catalog.manifest",
    "Settings": "settings",
    "Split": "catalog.manifest",
    "fetch": "hub.functions",
    "info": "hub.functions",
    "load": "hub.functions",
    "load_data": "hub.functions",
    "names": "hub.functions",
}


_FAMILIAR = (  # functions of other libraries, in `dshub.hub.familiar.functions`
    "ClassLabel",
    "ConcatDataset",
    "DataLoader",
    "DatasetDict",
    "ImageFolder",
    "Subset",
    "as_dataframe",
    "as_numpy",
    "builder",
    "concatenate_datasets",
    "data_source",
    "get_dataset_config_names",
    "get_dataset_split_names",
    "interleave_datasets",
    "list_builders",
    "list_datasets",
    "load_dataset",
    "load_dataset_builder",
    "load_from_disk",
    "random_split",
)

_HINTS = {  # submodules, and names without an equivalent
    "Features": "use Dataset.features",
    "Value": 'use NumberFeature(dtype="int64") or TextFeature() from dshub.catalog.features',
    "datasets": "use dshub.load(name, split), or dshub.names() to list all datasets",
    "disable_progress_bars": "set DSHUB_PROGRESS=off",
    "download": "use dshub.fetch(name)",
    "export": "use `from dshub.export import export`",
    "image_dataset_from_directory": "use Dataset.from_folder(path).batches(32)",
    "list": "use dshub.names()",
    "order": "use `import dshub.loading.order`",
    "retrieve": "use dshub.fetch(name)",
    "search": "use Registry().listing([word]), or the command `dshub search WORD`",
    "testing": "use `import dshub.testing`",
    "transforms": "use `from dshub.loading.transforms import Normalize`",
}


def __getattr__(name: str) -> object:
    module = "hub.familiar.functions" if name in _FAMILIAR else _MODULES.get(name)
    if module is None:
        hint = f"; {_HINTS[name]}" if name in _HINTS else ""
        raise AttributeError(f"module 'dshub' has no attribute {name!r}{hint}")
    from importlib import import_module

    value: object = getattr(import_module(f"dshub.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
