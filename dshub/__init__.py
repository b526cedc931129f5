"""Download datasets, verify them, and load them fast.

Use the functions of a default hub::

    from dshub import load
    train = load("mnist", split="train")

or a hub with your own settings::

    from dshub import Hub, Settings
    hub = Hub(settings=Settings.read(jobs=4))
    train = hub.load("mnist", split="train")

Every public name is imported on first use, so that `import dshub` loads neither NumPy nor Arrow
nor a framework.
"""

TYPE_CHECKING = False  # importing typing would double the time of this import
if TYPE_CHECKING:
    from dshub.catalog.features import Feature
    from dshub.catalog.manifest import Manifest, Resource, Split
    from dshub.catalog.registry import Registry
    from dshub.datasets.dataset import Dataset
    from dshub.errors import DshubError
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


_HINTS = {  # names from other libraries, and modules that must be imported
    "DataLoader": "load(name, split).batches(128) gives batches",
    "Features": "Dataset.features describes the columns",
    "builder": "info(name) describes a dataset",
    "datasets": 'load("mnist", split="train") opens a dataset, names() lists all',
    "download": "fetch(name) or load(name) downloads a dataset",
    "export": "import the module: `from dshub.export import export`",
    "list": "names() lists all datasets",
    "list_builders": "names() lists all datasets",
    "list_datasets": "names() lists all datasets",
    "load_dataset": 'load("mnist", split="train") opens a dataset',
    "load_from_disk": "Dataset.from_… opens your own data",
    "order": "import the module: `import dshub.loading.order`",
    "retrieve": "fetch(name) or load(name) downloads a dataset",
    "search": "`dshub search WORD`, or Registry().listing([word])",
    "testing": "import the module: `import dshub.testing`",
    "transforms": "import the module: `from dshub.loading.transforms import Normalize`",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        hint = f": {_HINTS[name]}" if name in _HINTS else ""
        raise AttributeError(f"module 'dshub' has no attribute {name!r}{hint}")
    from importlib import import_module

    value: object = getattr(import_module(f"dshub.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
