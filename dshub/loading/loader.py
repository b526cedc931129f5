"""`Loader`: iterate over batches of rows, one epoch at a time."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Generic, Literal, cast

import msgspec

from dshub._validate import whole
from dshub.catalog.spellings import familiar
from dshub.display import short
from dshub.errors import StateError
from dshub.loading._cursor import Cursor
from dshub.loading.bad_rows import BadRows
from dshub.loading.decoding.choosing import Decoder
from dshub.loading.options import BatchOptions, Rows, image_files
from dshub.loading.order import ORDER_VERSION, InOrder, Order, Share
from dshub.plugins import FrameworkMethods

if TYPE_CHECKING:
    import tensorflow as tf
    from typing_extensions import TypeVar  # defaults are new in Python 3.13

    from dshub.adapters.torch import TorchBatches

    B = TypeVar("B", default=Any)
else:
    from typing import TypeVar

    B = TypeVar("B")

MAX_EPOCH = 2**53 - 1  # largest integer that seeds and tensors represent exactly


if TYPE_CHECKING:
    from dshub.hub.familiar.loaders import LoaderNames
else:
    LoaderNames = object


class Loader(FrameworkMethods, Generic[B], LoaderNames):  # noqa: PYI059  # object comes last
    """Batches of a dataset, with one epoch per iteration.

    The rows of a batch depend only on the seed, the epoch and the position, so two runs yield the
    same batches. Each epoch has its own order. `state_dict()` describes the position in a few
    numbers. A loader that loads this state continues there, even with a different batch size,
    number of ranks or number of threads.

    Iterating yields NumPy batches; `.torch()`, `.tf()` and `.to(name)` yield framework batches. The
    memory of a batch is reused when nothing refers to the batch or to a part of it.

    Args:
        rows: rows to batch, such as a `Dataset`.
        options: options of the batches.
        order: order of the rows; by default determined by `options`.

    Attributes:
        pair: columns of `(x, y)`, or None if batches are dicts.

    Raises:
        ArgumentError: the options do not fit the rows.
        UnknownNameError: the column `bucket` does not exist.
    """

    _verb = "batches"

    def __init__(self, rows: Rows, options: BatchOptions, order: Order | None = None) -> None:
        options.check_columns(rows)
        self.rows, self.options = rows, options
        self.pair = options.pair(rows)
        self._cursor = Cursor(rows, options, order or options.order(len(rows)))

    @property
    def decoder(self) -> Decoder | None:
        """Decoder of image files, which counts files that only Pillow accepted; None without them.

        ``loader.decoder.name`` is, for example, `simplejpeg+opencv+pillow`.
        """
        has_files = bool(image_files(self.rows))
        return self.options.decoding(self.rows).decoder if has_files else None

    @property
    def errors(self) -> BadRows:
        """Rows that could not be decoded, if `on_error` is `skip` or `substitute`.

        ``loader.errors.counts`` has the number of different rows by epoch, and
        ``loader.errors.first`` the messages of the first ones by row number. They include batches
        that are prepared in advance, but not batches of other processes, such as `DataLoader`
        workers. The end of an epoch with such rows gives a warning.
        """
        return self._cursor.errors

    @property
    def epoch(self) -> int:
        """Current epoch, or the next epoch between iterations.

        Setting a different epoch moves to its beginning.

        Raises:
            ArgumentError: the value is not an integer from 0 to 2**53 - 1.
        """
        return self._cursor.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        value = whole("epoch", value, least=0, most=MAX_EPOCH)
        if value != self._cursor.epoch:
            self._cursor.seek(value, 0)

    if not TYPE_CHECKING:  # otherwise, type checkers would accept any attribute

        def __getattr__(self, name: str) -> Any:
            return familiar(self, name, "loaders.LoaderNames")

    def __repr__(self) -> str:
        return f"<Loader {self._summary()}: {self.rows!r}>"

    def _repr_html_(self) -> str:
        """Show the options and the first rows in a notebook, without transforms."""
        rows_html = getattr(self.rows, "_repr_html_", None)
        rows = rows_html() if rows_html is not None else escape(repr(self.rows))
        return f"<p><strong>Loader</strong> of {self._summary()}</p>{rows}"

    def _summary(self) -> str:
        share = self.share
        parts = [f"{len(self):,} batches of {self.options.size:,} rows"]
        parts += [] if isinstance(self._cursor.order, InOrder) else ["shuffled"]
        parts += [f"rank {share.rank} of {share.world}"] if share.world > 1 else []
        parts += [f"decoder {self.decoder.name}"] if self.decoder is not None else []
        return ", ".join([*parts, f"epoch {self.epoch}"])

    @property
    def share(self) -> Share:
        """Share of this rank in an epoch; `share.counts` has the rows of each rank."""
        return self._cursor.share

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._cursor.starts(0))

    def __iter__(self) -> Iterator[B]:
        """Yield the batches of one epoch as dicts, or as `(x, y)` if `supervised` is set.

        The next iteration yields the next epoch. After a `break`, `state_dict` returns the current
        position, but a new iteration starts where the previous one started, unless this state is
        loaded.
        """
        return self._cursor.batches(self._cursor.gatherer.batch)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that determines the batches, for example to log with results.

        Transforms are included by their `repr`, which is complete for dshub transforms, and
        decoders of image files by their names.
        """
        options, share = self.options, self.share
        order = [ORDER_VERSION, options.seed, options.size, options.drop_last]
        parts = [
            self.rows.fingerprint,
            self._cursor.order.describe(),
            [*order, options.layout, self.pair],
            [share.rank, share.world, share.uneven, options.bucket],
            [repr(transform) for transform in options.transforms],
            *([options.pad] if options.pad else []),
            *([self.decoder.name] if self.decoder is not None else []),
            *([options.on_error] if options.on_error != "raise" else []),
        ]
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()

    def state_dict(self) -> dict[str, int | str]:
        """Return the position: `{"order": 1, "seed": 0, …, "epoch": 3, "position": 512}`.

        `position` counts the rows that all ranks have yielded in the epoch. `data` identifies the
        rows; it is the same on every machine, and after `map` and `cache`.
        """
        return self._state(self._cursor.epoch, self._cursor.position)

    def state_after(self, batches: int) -> dict[str, int | str]:
        """Return the state after the first `batches` batches of the latest iteration.

        Use it in frameworks that prefetch batches: `state_dict` includes prefetched batches, but
        callers can count the batches they used. Counts beyond the epoch continue in later epochs.

        Raises:
            ArgumentError: `batches` is not an integer of at least 0.
        """
        return self._state(*self._cursor.place_after(batches))

    def _state(self, epoch: int, position: int) -> dict[str, int | str]:
        options = self.options
        state: dict[str, int | str] = {"order": ORDER_VERSION, "seed": options.seed}
        state |= {"rows": len(self.rows), **self._cursor.order.describe()}
        identity = getattr(self.rows, "row_identity", None)  # rows of other packages can lack it
        if identity is not None:
            state["data"] = identity[:16]
        if options.bucket is not None:
            state |= {"bucket": options.bucket, "size": self._cursor.step}
        return state | {"epoch": epoch, "position": position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict` in the next iteration.

        Raises:
            StateError: the state is invalid, or belongs to a loader with a different seed or order,
                or with other rows. Columns do not count as rows.
        """
        if not isinstance(state, Mapping):
            message = f"a state must be a dict from `state_dict()`, not {type(state).__name__}"
            raise StateError(message)
        expected = self.state_dict()
        _check_data(state, expected)
        for name in expected.keys() - {"epoch", "position", "data"}:
            value = state.get(name)
            if not isinstance(value, int | float | str) or value != expected[name]:
                raise StateError(
                    f"this state has {name} {short(value)}, but the loader has {expected[name]}"
                )
        epoch, position = state.get("epoch", -1), state.get("position", -1)
        most = max(
            self.share.total, self.share.length
        )  # a different number of ranks can drop fewer rows
        if not (_is_count(epoch) and _is_count(position) and position <= most):
            shown = short(dict(state))
            raise StateError(f"{shown} is not a position in an epoch of {most:,} rows")
        self._cursor.seek(epoch, position)

    @property
    def dataset(self) -> Rows:
        """Dataset or mixture that contains the rows."""
        return self.rows

    def repeat(self, count: int | None = None) -> Iterator[Any]:
        """Yield the batches of several epochs.

        ``for step, batch in zip(range(10_000), loader.repeat()): …``

        The first epoch starts where the next iteration would, and `state_dict` describes the
        position as usual.

        Args:
            count: number of epochs; None repeats epochs forever.

        Raises:
            ArgumentError: `count` is not an integer of at least 0.
        """
        return repeated(self, count)

    def numpy(self) -> "Loader[B]":
        """Return the loader itself, because its batches are NumPy arrays."""
        return self

    def torch(
        self,
        device: Any = None,
        *,
        pin: bool | None = None,
        normalize: Literal["auto", "device", "loader"] = "auto",
    ) -> "TorchBatches[B]":
        """Return batches of PyTorch tensors; see `dshub.adapters.torch.batches`."""
        batches = self.to("torch", device=device, pin=pin, normalize=normalize)
        return cast("TorchBatches[B]", batches)

    def tf(self) -> "tf.data.Dataset[Any]":
        """Return a `tf.data.Dataset` of batches; see `dshub.adapters.tf.batches`."""
        return self.to("tf")


def cursor_of(loader: Loader) -> Cursor:
    """Return the `Cursor` of a loader, for adapters that step through its batches themselves."""
    return loader._cursor  # noqa: SLF001  # the accessor for adapters


def repeated(batches: Any, count: int | None) -> Iterator[Any]:
    """Yield the batches of `count` epochs, or of all epochs; see `Loader.repeat`."""
    counts = () if count is None else (whole("count", count, least=0),)
    epochs = itertools.repeat(batches, *counts)
    return itertools.chain.from_iterable(epochs if len(batches) else ())


def _check_data(state: Mapping[str, Any], expected: Mapping[str, int | str]) -> None:
    """Raise StateError if a state was saved with other rows; older states lack `data`."""
    data, own = state.get("data"), expected.get("data")
    if data is None or own is None or data == own:
        return
    raise StateError(
        f"this state belongs to other rows: it has data {short(data)}, but the loader has {own!r}",
        hint="create the loader with the dataset, split and selection that saved the state, or "
        "remove `data` from the state to continue at its position in these rows",
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_EPOCH
