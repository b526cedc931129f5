"""One wrapping after the other removed: damage is told with the file's name, bytes are counted."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from dshub.archives import _kinds
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.manifest import Limits
from dshub.progress import size

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from dshub.archives import Stream

LAYERS = 4  # compressions one inside the other; a file may hold itself without end
RATIO_FROM = 256 << 20  # bytes; up to here anything may unpack to, however small it is packed
RAISE_LIMITS = "if that is right, raise `limits.{}` of this resource in the manifest"
_BUFFER = 1 << 16  # bytes
_LARGEST_PIECE = 1 << 20  # bytes read at a time where everything is asked for


@contextmanager
def translated(name: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raise ReadError, with this name, in place of any of `errors` and of a layer's beneath."""
    try:
        yield
    except ReadError as error:
        if error.file == name:
            raise
        raise ReadError(file=name, reason=error.reason) from error
    except errors as error:
        reason = str(error) or type(error).__name__
        raise ReadError(file=name, reason=f"it is damaged: {reason}") from error


class Budget:
    """How many bytes may come out of a file or a member of it."""

    def __init__(self, limits: Limits, packed: int, archive: str, member: str | None) -> None:
        self.archive, self.member = archive, member
        self._limits, self._packed, self._spent = limits, packed, 0
        self._allowed = min(limits.unpacked, max(RATIO_FROM, limits.ratio * packed))

    def spend(self, count: int) -> None:
        """Take note of bytes that came out; raises UnsafeArchiveError where they are too many."""
        self._spent += count
        if self._spent <= self._allowed:
            return
        told, limit = f"unpacks to more than {size(self._allowed)}", "unpacked"
        if self._allowed < self._limits.unpacked:
            told, limit = f"{told}, out of {size(self._packed)}", "ratio"
        hint = RAISE_LIMITS.format(limit)
        raise UnsafeArchiveError(archive=self.archive, member=self.member, reason=told, hint=hint)


class SharedBudget:
    """What one member takes of a budget for many: of it, what is read again counts once.

    Args:
        total: the budget.
        counted: what was taken of it so far, by the names of members.
        member: the name of this one.
    """

    def __init__(self, total: Budget, counted: dict[str, int], member: str) -> None:
        self._total, self._counted, self._member, self._spent = total, counted, member, 0

    def spend(self, count: int) -> None:
        """See `Budget.spend`."""
        self._spent += count
        new = self._spent - self._counted.get(self._member, 0)
        if new > 0:
            self._counted[self._member] = self._spent
            self._total.spend(new)


class Layer(io.RawIOBase):
    """A stream of some kind: its damage is a ReadError, and what comes out is on a budget.

    Every read gives as much as was asked for, but at the end.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        errors: tuple[type[Exception], ...],
        *,
        budgets: tuple[Budget | SharedBudget, ...] = (),
        beneath: BinaryIO | None = None,
    ) -> None:
        self._stream, self._name, self._errors = stream, name, errors
        self._budgets, self._beneath, self._given = budgets, beneath, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view, filled = memoryview(buffer).cast("B"), 0
        with translated(self._name, self._errors):
            while filled < len(view):
                count: int = self._stream.readinto(view[filled:])  # type: ignore[attr-defined]
                if not count:
                    break
                filled += count
        for budget in self._budgets:
            budget.spend(filled)
        self._given += filled
        return filled

    def tell(self) -> int:
        return self._given

    def readall(self) -> bytes:
        pieces, step = [], _BUFFER
        while piece := self.read(step):
            pieces.append(piece)
            step = min(2 * step, _LARGEST_PIECE)
        return b"".join(pieces)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.close()
            if self._beneath is not None:
                self._beneath.close()


class Peeled:
    """A stream with every compression around it removed, and the kinds of those."""

    def __init__(self, stream: BinaryIO, name: str, *budgets: Budget | SharedBudget) -> None:
        """Peel.

        Args:
            stream: the bytes as they are stored, whose reads give as much as was asked for; it
                is closed with what is inside.
            name: what to call it in errors.
            budgets: what each of its layers may grow to.

        Raises:
            ReadError: it is damaged at its beginning, or wrapped again and again.
        """
        self.kinds: list[Stream] = []
        self._stored = stream
        self.stream = io.BufferedReader(cast("io.RawIOBase", stream), _BUFFER)
        try:
            self._peel(name, budgets)
        except BaseException:
            self.stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    @property
    def taken(self) -> int:
        """How many bytes were read so far, as they are stored."""
        return self._stored.tell()

    @property
    def head(self) -> bytes:
        """The first bytes inside."""
        return self.stream.peek(_kinds.HEAD)[: _kinds.HEAD]

    def _peel(self, name: str, budgets: tuple[Budget | SharedBudget, ...]) -> None:
        while kind := _kinds.stream_of(self.head):
            if len(self.kinds) == LAYERS:
                raise ReadError(file=name, reason=f"it is compressed more than {LAYERS} times")
            self._remove(kind, name, budgets)

    def _remove(
        self, kind: "Stream", name: str, budgets: tuple[Budget | SharedBudget, ...]
    ) -> None:
        with translated(name, kind.errors):
            inside = kind.open(cast("BinaryIO", self.stream))
        layer = Layer(
            inside, name, kind.errors, budgets=budgets, beneath=cast("BinaryIO", self.stream)
        )
        self.stream = io.BufferedReader(layer, _BUFFER)
        self.kinds.append(kind)
