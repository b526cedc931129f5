"""Load datasets from the Hugging Face Hub, through the package `datasets`.

A name is `hf:owner/name`, `hf:owner/name/config`, or a local path such as `hf:./folder`. A local
path starts with a dot or a tilde, or is absolute.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.datasets.hugging_face import library
from dshub.datasets.split_expressions import find_parts
from dshub.datasets.splits import Splits
from dshub.errors import DshubError, OfflineError, ReadError, UnknownNameError

PREFIX = "hf:"


class HubSplits:
    """Splits of a Hub dataset; `datasets` downloads and prepares them in its own cache.

    Args:
        name: name as passed to `load`.
        offline: whether connections are forbidden.

    Raises:
        MissingExtraError: `datasets` is not installed.
        OfflineError: `offline` is True, and the dataset is not in the cache of `datasets`.
        UnknownNameError: the dataset does not exist.
        ReadError: the dataset cannot be downloaded or prepared.
    """

    def __init__(self, name: str, *, offline: bool) -> None:
        self._name = name
        self._splits: dict[str, Any] = dict(_fetch(name, offline=offline))

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of each split."""
        return {split: len(dataset) for split, dataset in self._splits.items()}

    def open(self, expression: str) -> Dataset:
        """Return the rows that a split expression selects.

        Raises:
            SplitError: the expression has invalid syntax.
            UnknownNameError: a split does not exist.
            SchemaError: a column has an unsupported type.
        """
        parts = []
        for part in find_parts(self._name, expression, self._splits):
            dataset = self._splits[part.split]
            parts.append(dataset.select(part.rows(len(dataset))))
        rows = parts[0] if len(parts) == 1 else library().concatenate_datasets(parts)
        return Dataset.from_hf(rows, title=f"{self._name}, split {expression}")


def open_name(
    name: str, expression: str | None, columns: Sequence[str] | None, *, offline: bool
) -> Dataset | Splits:
    """Open a split of a dataset by its name, or all splits if `expression` is None.

    Raises:
        DshubError: one of the errors of `HubSplits`.
    """
    splits = HubSplits(name, offline=offline)

    def open_split(split: str) -> Dataset:
        dataset = splits.open(split)
        return dataset if columns is None else dataset.columns(columns)

    return Splits(name, splits.rows, open_split) if expression is None else open_split(expression)


def _parse(text: str) -> tuple[str, str | None]:
    """Split a name into a repository or folder, and a configuration or None."""
    name = text.removeprefix(PREFIX)
    folder = Path(name).expanduser()
    if name.startswith((".", "~")) or folder.is_absolute():
        if folder.is_dir() or not folder.parent.is_dir():
            return str(folder), None
        return str(folder.parent), folder.name
    parts = name.split("/")
    if not all(parts) or len(parts) > 3:
        forms = ["hf:owner/name", "hf:owner/name/config"]
        raise UnknownNameError(kind="dataset of the Hub", name=text, known=forms)
    return "/".join(parts[:2]), parts[2] if len(parts) == 3 else None


def _fetch(name: str, *, offline: bool) -> Any:
    """Load all splits as a `datasets.DatasetDict`."""
    datasets, (path, config) = library(), _parse(name)
    try:
        with _connections(datasets, offline=offline):
            return datasets.load_dataset(path, config)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise UnknownNameError(kind="dataset of the Hub", name=name) from error
    except Exception as error:  # raised by the Hub client, its cache or a file parser
        raise _translate(name, error, offline=offline) from error


def _translate(name: str, error: Exception, *, offline: bool) -> DshubError:
    if offline and isinstance(error, OSError):
        hint = "load it on a machine with a connection, then copy its `datasets` cache (HF_HOME)"
        cache = ["of the package datasets"]
        return OfflineError(dataset=name, files=["all"], looked_in=cache, hint=hint)
    hint = "if the dataset requires an account, run `hf auth login`"
    return ReadError(file=name, reason=f"{type(error).__name__}: {error}", hint=hint)


@contextmanager
def _connections(datasets: Any, *, offline: bool) -> Iterator[None]:
    """Forbid connections inside the context if `offline` is True.

    Hugging Face packages read these settings for each request.
    """
    import huggingface_hub

    settings = [
        (datasets.config, "HF_HUB_OFFLINE"),
        (datasets.config, "HF_DATASETS_OFFLINE"),
        (huggingface_hub.constants, "HF_HUB_OFFLINE"),
    ]
    with ExitStack() as stack:
        for module, name in settings:
            value = getattr(module, name)
            stack.callback(setattr, module, name, value)
            setattr(module, name, offline or value)
        yield
