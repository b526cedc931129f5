"""Top-level functions of the package, which call the default hub.

The default hub takes its settings from the environment. It is created on first use, and again
when the settings change.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, overload

from dshub.catalog.manifest import AnyPair, Manifest
from dshub.catalog.spellings import spelled
from dshub.hub.hub import Columns, Hub, Part
from dshub.settings import Settings

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset
    from dshub.datasets.splits import Splits
    from dshub.download.fetcher import Fetched

    Arrays = tuple[Any, Any]


@lru_cache(maxsize=1)
def _hub_of(settings: Settings) -> Hub:
    return Hub(settings=settings)


def _hub() -> Hub:
    return _hub_of(Settings.read())


def names() -> list[str]:
    """Return the sorted names of all datasets in the registry; see `Hub.names`."""
    return _hub().names()


def info(name: str) -> Manifest:
    """Return the manifest of a dataset with its columns, splits, license and files.

    Raises:
        UnknownNameError: the dataset or version does not exist.
    """
    return _hub().info(name)


def fetch(*names: str, prepare: bool = True) -> "list[Fetched]":
    """Download and verify datasets or families, and prepare their tables; see `Hub.fetch`.

    Args:
        *names: `"mnist"`, `"mnist@1.0.0"`, or `"emnist"` for all members of a family.
        prepare: prepare tables, so that `load` is instant afterwards.

    Returns:
        The path and source of each file.
    """
    return _hub().fetch(*names, prepare=prepare)


@overload
def load(
    name: str, *, split: None = None, columns: Columns | None = None, synthetic: int | None = None
) -> "Splits": ...
@overload
def load(
    name: str,
    *parts: str,
    split: str = ...,
    columns: Columns | None = None,
    synthetic: int | None = None,
) -> "Dataset": ...
@overload
def load(
    name: str,
    *parts: str | None,
    split: str | None = ...,
    columns: Columns | None = None,
    synthetic: int | None = None,
) -> "Dataset | Splits": ...
@overload
def load(
    name: str,
    *parts: Part,
    split: list[str] | tuple[str, ...],
    columns: Columns | None = None,
    synthetic: int | None = None,
) -> "list[Dataset]": ...
@overload
def load(
    name: str,
    *parts: Part,
    split: Part = ...,
    columns: Columns | None = None,
    synthetic: int | None = None,
) -> Any: ...
@spelled("load")
def load(
    name: str,
    *parts: Part,
    split: Part = None,
    columns: Columns | None = None,
    synthetic: int | None = None,
) -> "Dataset | Splits | list[Dataset]":
    """Load a split of a dataset, after downloading and preparing it if necessary.

    ::

        train = load("mnist", split="train")
        load("mnist")["test"]                    # without `split`, returns all splits by name
        load("glue/sst2", split="train[:10%]")   # also train[:1000], train[90%:], train+test
        load("glue", "sst2", split="val")        # any spelling, and names of other libraries
        load("hf:owner/name", split="train")     # from the Hugging Face hub
        load("./photos", split="train")          # a folder of images, as Dataset.from_folder

    Args:
        name: dataset, `name@version`, or the path of a manifest; `dshub.names()` lists all.
        *parts: a member of a family, and the split.
        split: split expression, or a list of them; None returns all splits as a read-only
            mapping.
        columns: columns to load; all by default.
        synthetic: number of synthetic rows per split to load instead of the real data.

    Returns:
        A `Dataset`, a list for a list of splits, or a mapping from split names to datasets if
        `split` is None.

    Raises:
        DshubError: the dataset cannot be loaded; see `Hub.load` for the subclasses.
    """
    return _hub().load(name, *parts, split=split, columns=columns, synthetic=synthetic)


@spelled("load_data")
def load_data(
    name: str,
    *,
    test: str = "test",
    supervised: "AnyPair | None" = None,
    synthetic: int | None = None,
) -> "tuple[Arrays, Arrays]":
    """Load `(x_train, y_train), (x_test, y_test)` as arrays in memory; see `Hub.load_data`.

    Args:
        name: name of the dataset.
        test: split of the test data, such as `validation` if the labels of `test` are hidden.
        supervised: columns of `(x, y)`; by default those in the manifest.
        synthetic: number of synthetic rows per split to load instead of the real data.
    """
    return _hub().load_data(name, test=test, supervised=supervised, synthetic=synthetic)
