"""Batches, epoch after epoch."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import numpy as np

from dshub import phrasebook, plugins
from dshub.arguments import whole
from dshub.errors import StateError, shown_value
from dshub.loader.ahead import ahead, batch_bytes
from dshub.loader.buckets import Buckets
from dshub.loader.gathering import Gatherer
from dshub.loader.plan import Plan, Rows
from dshub.order import ORDER_VERSION, InOrder, Share

CHUNK = 1 << 14  # rows whose order is computed at a time
MOST_EPOCHS = 2**53 - 1  # what seeds of an epoch, and tensors of torch, can count to


class Loader:
    """Batches of a dataset, one epoch for each iteration.

    Which rows a batch holds is a pure function of (seed, epoch, position): running twice gives
    the same batches, and each epoch has an order of its own. `state_dict()` says where the walk
    is, in a few numbers; a loader that is given them goes on there, also with another batch
    size, another number of ranks, or of threads.

    Iterating yields NumPy batches; `.torch()`, `.tf()` and `.to(name)` those of a framework.
    Their memory is used again once nobody holds a batch, or a part of it, any more.
    """

    def __init__(self, rows: Rows, plan: Plan) -> None:
        self.rows, self.plan = rows, plan
        self._epoch = 0
        self._position = 0
        self._resume = 0
        self._began: tuple[int, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what was worked out, or a pickle would hold every picture."""
        made = {"_gatherer", "_buckets"}
        return {name: value for name, value in vars(self).items() if name not in made}

    @property
    def epoch(self) -> int:
        """The epoch that is under way, or comes next. Setting another goes to its beginning.

        Raises:
            ArgumentError: it is set to what is no whole number from 0 to 2**53 - 1.
        """
        return self._epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        value = whole("epoch", value, least=0, most=MOST_EPOCHS)
        if value != self._epoch:
            self._epoch, self._position, self._resume, self._began = value, 0, 0, None

    if not TYPE_CHECKING:  # a type checker knows which attributes there are

        def __getattr__(self, name: str) -> NoReturn:
            raise phrasebook.missing(self, name, phrasebook.LOADER)

    def __repr__(self) -> str:
        plan = self.plan
        parts = [f"{len(self):,} batches of {plan.size:,} rows"]
        parts += [] if isinstance(plan.order, InOrder) else ["shuffled"]
        parts += [f"rank {plan.rank} of {plan.world}"] if plan.world > 1 else []
        return f"<Loader {', '.join(parts)}, epoch {self.epoch}: {self.rows!r}>"

    @property
    def share(self) -> Share:
        """What this rank gets of an epoch; `share.counts` are the rows of each rank."""
        plan = self.plan
        return Share(plan.order.length, plan.rank, plan.world, plan.uneven)

    @cached_property
    def _gatherer(self) -> Gatherer:
        return Gatherer(self.rows, self.plan)

    @cached_property
    def _buckets(self) -> Buckets:
        return Buckets(self.rows, self.plan, self.share)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._positions(0))

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch: a dict, or `(x, y)` where `supervised` was asked for.

        The next iteration is the next epoch, which is reached with the last batch. Leaving early
        keeps the place in `state_dict`, but a new iteration begins where that one began unless
        the state is loaded again.
        """
        return self.walk(self._gatherer)

    def walk(self, gatherer: Any) -> Iterator[Any]:
        """The same with batches made by another gatherer, as an adapter may have one.

        Args:
            gatherer: has a method `batch(rows, epoch)`, called in threads.
        """
        positions, epoch, last = self.positions(), self.epoch, self._last
        self._began = epoch, self._resume
        batches = ahead(
            lambda rows: gatherer.batch(rows, epoch),
            self._rows_of(positions, epoch),
            threads=self.plan.threads,
            most=self.plan.prefetch,
            size=batch_bytes,
        )
        for position, batch in zip(positions, batches, strict=True):
            # whoever knows the number of batches asks for no more: the last one ends the epoch
            self.reach(*((epoch + 1, 0) if position == last else (epoch, self._end(position))))
            yield batch
            del batch  # so that its memory is free while the next one is made
        if not positions or positions[-1] != last:
            self.reach(epoch + 1, 0)

    def positions(self) -> range:
        """Where the batches begin that the next iteration gives."""
        return self._positions(self._resume)

    def _positions(self, start: int, share: Share | None = None) -> range:
        """A batch takes `size` positions of every rank."""
        size, step = self.plan.size, self.plan.size * self.plan.world
        rows = (share or self.share).count(start)
        batches = rows // size if self.plan.drop_last else -(-rows // size)
        return range(start, start + batches * step, step)

    @property
    def _last(self) -> int:
        """Where the last batch of any rank begins; the first one has the most."""
        positions = self._positions(self._resume, replace(self.share, rank=0))
        return positions[-1] if positions else -1

    def _end(self, position: int) -> int:
        return min(position + self.plan.size * self.plan.world, self.share.total)

    def reach(self, epoch: int, position: int) -> None:
        """Say where the walk is, where batches are taken with `positions` and `batch`."""
        if epoch != self._epoch:
            self._resume = 0
        self._epoch, self._position = epoch, min(position, self.share.total)

    def begin(self) -> None:
        """Count an iteration as begun whose batches are taken with `place` and `batch`."""
        self._began = self.epoch, self._resume

    def place(self, batches: int, start: tuple[int, int] | None = None) -> tuple[int, int]:
        """Epoch and position of the batch that comes so many batches after the next one.

        Args:
            batches: more than are left of an epoch go on with the next ones.
            start: epoch and position to count from; where the next iteration begins if not
                given.

        Raises:
            ArgumentError: batches are no whole number of at least 0.
        """
        batches = whole("batches", batches, least=0)
        epoch, position = start or (self.epoch, self._resume)
        beyond, step = batches - len(self._positions(position)), self.plan.size * self.plan.world
        if beyond < 0:
            return epoch, position + batches * step
        epochs, rest = divmod(beyond, max(1, len(self)))
        return epoch + 1 + epochs, rest * step

    def rows_at(self, position: int, epoch: int) -> np.ndarray:
        """The rows of the batch that begins at a position, int64."""
        share, plan = self.share, self.plan
        count = min(plan.size, share.count(position))
        if plan.bucket is not None:
            return self._buckets.rows_at(position, epoch)[:count]
        return plan.order.rows(share.positions(position, count), epoch)

    def _rows_of(self, positions: range, epoch: int) -> Iterator[np.ndarray]:
        """The rows of some batches, computed many at a time: the arithmetic likes long arrays."""
        share, plan = self.share, self.plan
        if plan.bucket is not None:
            yield from (self.rows_at(position, epoch) for position in positions)
            return
        many = max(1, CHUNK // plan.size)
        for first in range(0, len(positions), many):
            some = positions[first : first + many]
            count = min(len(some) * plan.size, share.count(some[0]))
            rows = plan.order.rows(share.positions(some[0], count), epoch)
            for start in range(0, count, plan.size):
                yield rows[start : start + plan.size]

    def batch(self, position: int, epoch: int) -> Any:
        """The batch that begins at a position of an epoch."""
        return self._gatherer.batch(self.rows_at(position, epoch), epoch)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides the batches, to log beside a result.

        Transforms count by their `repr`, which says all of dshub's own.
        """
        plan = self.plan
        parts = [
            self.rows.fingerprint,
            plan.order.describe(),
            [ORDER_VERSION, plan.seed, plan.size, plan.drop_last, plan.layout, plan.supervised],
            [plan.rank, plan.world, plan.uneven, plan.bucket],
            [repr(transform) for transform in plan.transforms],
        ]
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()

    def state_dict(self) -> dict[str, int | str]:
        """Where the walk is: `{"order": 1, "seed": 0, …, "epoch": 3, "position": 512}`.

        `position` counts the rows of the epoch that were handed out, by all ranks together.
        """
        state: dict[str, int | str] = {
            "order": ORDER_VERSION,
            "seed": self.plan.seed,
            "rows": len(self.rows),
            **self.plan.order.describe(),
        }
        if self.plan.bucket is not None:
            state |= {"bucket": self.plan.bucket, "size": self.plan.size * self.plan.world}
        return state | {"epoch": self.epoch, "position": self._position}

    def state_after(self, batches: int) -> dict[str, int | str]:
        """The state once so many batches of the iteration that was begun last have been used.

        For frameworks that take batches ahead of their use: `state_dict` tells how many were
        taken, and this how many were used, by whoever counts them. More than are in an epoch
        are those of the next ones.

        Raises:
            ArgumentError: batches are no whole number of at least 0.
        """
        epoch, position = self.place(batches, self._began)
        return self.state_dict() | {"epoch": epoch, "position": position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, with the next iteration.

        Raises:
            StateError: the state is of another order (other seed, other rows, other version),
                or is no state of a loader.
        """
        if not isinstance(state, Mapping):
            told = f"a state is a dict as `state_dict()` gives it, not {type(state).__name__}"
            raise StateError(told)
        own = self.state_dict()
        for name in own.keys() - {"epoch", "position"}:
            value = state.get(name)
            if not isinstance(value, int | float | str) or value != own[name]:
                raise StateError(
                    f"this state has {name} {shown_value(value)}, but the loader has {own[name]}"
                )
        epoch, position = state.get("epoch", -1), state.get("position", -1)
        most = max(self.share.total, self.plan.order.length)  # other ranks may leave out fewer
        if not (_is_count(epoch) and _is_count(position) and position <= most):
            shown = shown_value(dict(state))
            raise StateError(f"{shown} says no place in an epoch of {most:,} rows")
        self._epoch = epoch
        self._position = self._resume = position
        self._began = None

    def numpy(self) -> "Loader":
        """NumPy batches, which is what iterating a loader gives; here for symmetry."""
        return self

    def torch(self, **options: Any) -> Any:
        """An iterable of batches of torch tensors; see `dshub.adapters.torch`."""
        return self.to("torch", **options)

    def tf(self, **options: Any) -> Any:
        """A `tf.data.Dataset` of batches; see `dshub.adapters.tf`."""
        return self.to("tf", **options)

    def to(self, framework: str, **options: Any) -> Any:
        """Batches for a framework, by the name of its adapter.

        Args:
            **options: of that adapter, such as `device="cuda"` of torch's.

        Raises:
            UnknownNameError: there is no such adapter.
            DshubError: it has rows only.
            MissingExtraError: the framework is not installed.
        """
        return plugins.adapter(framework, "batches")(self, **options)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_EPOCHS
