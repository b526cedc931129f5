"""The functions of the package: one-liners over a default hub.

The hub is made from the environment on first use, and again whenever that has changed.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, overload

from dshub.catalog import phrasebook
from dshub.catalog.manifest import Manifest, Pair
from dshub.hub.hub import Columns, Hub
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
    """Return all known datasets, sorted; see `Hub.names`."""
    return _hub().names()


def info(name: str) -> Manifest:
    """Return the manifest of a dataset: columns, splits, license, files; see `Hub.info`.

    Raises:
        UnknownNameError: there is no such dataset or version.
    """
    return _hub().info(name)


def fetch(*names: str, prepare: bool = True) -> "list[Fetched]":
    """Download and verify datasets or families, and prepare their tables; see `Hub.fetch`.

    Args:
        *names: `"mnist"`, `"mnist@1.0.0"`, or `"emnist"` for all members of a family.
        prepare: make tables, so that `load` is instant afterwards.

    Returns:
        Every file, and where it came from.
    """
    return _hub().fetch(*names, prepare=prepare)


@overload
def load(
    name: str, split: str, *, columns: Columns | None = None, synthetic: int | None = None
) -> "Dataset": ...
@overload
def load(
    name: str, split: None = None, *, columns: Columns | None = None, synthetic: int | None = None
) -> "Splits": ...
@phrasebook.foreign(phrasebook.LOAD)
def load(
    name: str,
    split: str | None = None,
    *,
    columns: Columns | None = None,
    synthetic: int | None = None,
) -> "Dataset | Splits":
    """Load a split of a dataset; downloads, verifies and prepares it first if necessary.

    ::

        train = load("mnist", split="train")
        load("mnist")["test"]                    # without a split, all of them by name
        load("glue/sst2", split="train[:10%]")   # also train[:1000], train[90%:], train+test
        load("hf:owner/name", split="train")     # from the Hugging Face hub

    Args:
        name: dataset, `name@version`, or the path of a manifest; `dshub.names()` lists all.
        split: a split expression; None returns all splits as a read-only mapping.
        columns: only these.
        synthetic: rows per split of synthetic data to load instead, made without the data.

    Returns:
        A `Dataset`, or a mapping of them if `split` is None.

    Raises:
        DshubError: it cannot be loaded; says why and what to do. See `Hub.load` for the kinds.
    """
    if split is None:
        return _hub().load(name, columns=columns, synthetic=synthetic)
    return _hub().load(name, split, columns=columns, synthetic=synthetic)


def load_data(
    name: str,
    *,
    test: str = "test",
    supervised: "Pair | None" = None,
    synthetic: int | None = None,
) -> "tuple[Arrays, Arrays]":
    """Load `(x_train, y_train), (x_test, y_test)` as arrays in memory; see `Hub.load_data`.

    Args:
        name: of the dataset.
        test: the split to test with, such as `validation` where test labels are hidden.
        supervised: the columns `(x, y)`; by default those of the manifest.
        synthetic: rows per split of synthetic data to load instead, made without the data.
    """
    return _hub().load_data(name, test=test, supervised=supervised, synthetic=synthetic)
