"""`hf:owner/name`: datasets of the Hugging Face hub, through the package `datasets`.

A name is `hf:owner/name`, or `hf:owner/name/config`; or a folder with such a repository, such as
`hf:./folder`, which begins with a dot, a tilde or the root.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.datasets.hugging_face import library
from dshub.datasets.split_expressions import parse_split, unknown_split
from dshub.errors import DshubError, OfflineError, ReadError, UnknownNameError

PREFIX = "hf:"


@dataclass(frozen=True)
class HubName:
    """A dataset of the hub, or a folder.

    Attributes:
        text: as it was written.
        path: owner and name, or the folder.
        config: which of its configurations; None for the only one.
    """

    text: str
    path: str
    config: str | None

    @classmethod
    def parse(cls, text: str) -> "HubName":
        """Read a name; raises UnknownNameError where it can be none."""
        name = text.removeprefix(PREFIX)
        folder = Path(name).expanduser()
        if name.startswith((".", "~")) or folder.is_absolute():
            if folder.is_dir() or not folder.parent.is_dir():
                return cls(text, str(folder), None)
            return cls(text, str(folder.parent), folder.name)
        parts = name.split("/")
        if not all(parts) or len(parts) > 3:
            known = ["hf:owner/name", "hf:owner/name/config"]
            raise UnknownNameError(kind="dataset of the hub", name=text, known=known)
        return cls(text, "/".join(parts[:2]), parts[2] if len(parts) == 3 else None)


class HubSplits:
    """The splits of a dataset of the hub, fetched and prepared by `datasets` in its own cache.

    Args:
        name: as in `load`.
        offline: whether no connection may be made.

    Raises:
        MissingExtraError: `datasets` is not installed.
        OfflineError: it is not in the cache of `datasets`.
        UnknownNameError: there is none of that name.
        ReadError: it cannot be had or prepared; says why.
    """

    def __init__(self, name: str, *, offline: bool) -> None:
        self.name = HubName.parse(name)
        self._found: dict[str, Any] = dict(_fetched(self.name, offline=offline))

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each split has."""
        return {split: len(dataset) for split, dataset in self._found.items()}

    def open(self, expression: str) -> Dataset:
        """The rows that a split expression means.

        Raises:
            SplitError, UnknownNameError: it cannot be read, or there is no such split.
            SchemaError: a column holds what no feature does.
        """
        chosen = []
        for part in parse_split(expression):
            if part.split not in self._found:
                raise unknown_split(self.name.text, part.split, self._found)
            whole = self._found[part.split]
            chosen.append(whole.select(part.rows(len(whole))))
        together = chosen[0] if len(chosen) == 1 else library().concatenate_datasets(chosen)
        return Dataset.from_hf(together, title=f"{self.name.text}, split {expression}")


def _fetched(name: HubName, *, offline: bool) -> Any:
    """A `datasets.DatasetDict`."""
    datasets = library()
    try:
        with _connections(datasets, offline=offline):
            return datasets.load_dataset(name.path, name.config)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise UnknownNameError(kind="dataset of the hub", name=name.text) from error
    except Exception as error:  # whatever it meets: the hub, the cache, the files' own formats
        raise _translated(name, error, offline=offline) from error


def _translated(name: HubName, error: Exception, *, offline: bool) -> DshubError:
    if offline and isinstance(error, OSError):
        hint = "load it once on a connected machine, and bring the cache of `datasets` (HF_HOME)"
        looked = ["that of the package datasets"]
        return OfflineError(dataset=name.text, files=["all"], looked_in=looked, hint=hint)
    hint = "if it needs an account, log in with `hf auth login`; `dshub list` shows our own"
    return ReadError(file=name.text, reason=f"{type(error).__name__}: {error}", hint=hint)


@contextmanager
def _connections(datasets: Any, *, offline: bool) -> Iterator[None]:
    """Forbid connections meanwhile: the packages look at these at each request."""
    import huggingface_hub

    places = [
        (datasets.config, "HF_HUB_OFFLINE"),
        (datasets.config, "HF_DATASETS_OFFLINE"),
        (huggingface_hub.constants, "HF_HUB_OFFLINE"),
    ]
    before = [getattr(module, name) for module, name in places]
    try:
        for module, name in places:
            setattr(module, name, offline or getattr(module, name))
        yield
    finally:
        for (module, name), value in zip(places, before, strict=True):
            setattr(module, name, value)
