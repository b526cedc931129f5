"""Datasets onto your machine, verified, and into your training loop, fast.

Two ways in::

    from dshub import load                      # functions over a default Hub
    train = load("mnist", split="train")

    from dshub import Hub, Settings             # the same, with everything spelled out
    hub = Hub(settings=Settings.read(jobs=4))
    train = hub.load("mnist", split="train")

Importing this package is nearly free: every public name is resolved on first use, so that
neither NumPy nor Arrow nor a framework is loaded before it is needed.
"""

TYPE_CHECKING = False  # typing's own would cost half of this import
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

_HOMES = {
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


_ELSEWHERE = {  # what other libraries have, and modules that have to be imported
    "DataLoader": "load(name, split).batches(128) gives batches",
    "Features": "Dataset.features says what columns hold",
    "builder": "info(name) says what a dataset is",
    "datasets": 'load("mnist", split="train") opens a dataset, names() gives all',
    "download": "fetch(name) gets a dataset, and load(name) too",
    "export": "it is a module: `from dshub.export import export`",
    "list": "names() gives every dataset",
    "list_builders": "names() gives every dataset",
    "list_datasets": "names() gives every dataset",
    "load_dataset": 'load("mnist", split="train") opens a dataset',
    "load_from_disk": "Dataset.from_… opens data of your own",
    "order": "it is a module: `import dshub.loading.order`",
    "retrieve": "fetch(name) gets a dataset, and load(name) too",
    "search": "`dshub search WORD`, or Registry().search([word])",
    "testing": "it is a module: `import dshub.testing`",
    "transforms": "it is a module: `from dshub.loading.transforms import Normalize`",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        told = f": {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
        raise AttributeError(f"module 'dshub' has no attribute {name!r}{told}")
    from importlib import import_module

    value: object = getattr(import_module(f"dshub.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
