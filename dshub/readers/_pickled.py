"""Plain values out of a pickle, by an interpreter that can run nothing.

A pickle is a program for a small stack machine (Python's `pickletools` documents each instruction).
Only those that build dictionaries, lists, tuples, strings, numbers and NumPy arrays are carried
out; a pickle that has any other, or that names any class or function but NumPy's own array, is
refused. A name is never looked up, no object of the program's choice is ever made or called, and
memory stays in proportion to the bytes of the file.
"""

import re
import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from dshub.errors import ReadError

INSTRUCTIONS = 1 << 19  # CIFAR-100's 50,000 rows take some 200,000; each may cost 100 bytes
MEMO = 1 << 19  # values that a pickle may remember
_PIECE = 1 << 20  # bytes read at a time: a length may lie
_LINE = 256  # bytes of a name

# where NumPy's array has its parts; the modules' names differ between its releases
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy._core.multiarray", "_reconstruct"): "array",
    ("numpy", "ndarray"): "class",
    ("numpy", "dtype"): "dtype",
}


class _Global(NamedTuple):
    """Something of NumPy's that the pickle names: `array`, `class` or `dtype`."""

    what: str


class _Dtype(NamedTuple):
    """A type of numbers, without its byte order."""

    name: str


class _Array:
    """An array that is not filled yet, or is."""

    value: np.ndarray | None = None


class _Mark(NamedTuple):
    """Where on the stack a list, a tuple or a dictionary begins."""


def load(stream: BinaryIO, name: str) -> Any:
    """The value in a pickle of protocol 0 to 2, its strings as bytes, its arrays read-only.

    Args:
        stream: the pickle, from its beginning.
        name: what to call it in errors.

    Raises:
        ReadError: it is damaged, or more than plain values.
    """
    return _Machine(stream, name).run()


class _Machine:
    """The stack machine: what it has made so far, and what it was told to remember."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name, self._offset = stream, name, 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(INSTRUCTIONS):
            at = self._offset
            code = self._take(1)
            if code == b".":
                return self._result()
            action = _ACTIONS.get(code)
            if action is None:
                raise self._fault(f"instruction {code!r} is none that plain values need", at)
            try:
                action(self)
            except (IndexError, TypeError, ValueError, KeyError, OverflowError) as error:
                raise self._fault(f"instruction {code!r} makes no sense ({error})", at) from None
        raise self._fault("it goes on and on", self._offset)

    def _result(self) -> Any:
        if len(self._stack) != 1:
            raise self._fault("it ends amid a value", self._offset)
        if self._stream.read(1):
            raise self._fault("bytes follow its end", self._offset)
        return _plain(self._stack[0])

    def _fault(self, reason: str, offset: int) -> ReadError:
        told = f"it is no pickle of arrays: {reason}, at byte {offset:,}"
        return ReadError(file=self._name, reason=told)

    def _take(self, size: int) -> bytes:
        pieces, left = [], size
        while left:
            piece = self._stream.read(min(left, _PIECE))
            if not piece:
                raise self._fault("it is cut short", self._offset)
            pieces.append(piece)
            left -= len(piece)
            self._offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def line(self) -> bytes:
        found = bytearray()
        while not found.endswith(b"\n"):
            if len(found) > _LINE:
                raise ValueError("a line without end")
            found += self._take(1)
        return bytes(found[:-1])

    def number(self, form: str) -> int:
        found: int = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return found

    def string(self, form: str) -> None:
        size = self.number(form)
        if size < 0:
            raise ValueError(f"a string of {size} bytes")
        self.push(self._take(size))

    def text(self) -> None:
        size = self.number("<I")
        self.push(self._take(size).decode("utf-8", "surrogatepass"))

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        value = self._stack.pop()
        if isinstance(value, _Mark):
            raise TypeError("a value is missing")
        return value

    def items(self) -> list[Any]:
        """Everything above the uppermost mark, which goes too."""
        found = []
        while not isinstance(value := self._stack.pop(), _Mark):
            found.append(value)
        return found[::-1]

    def remember(self, key: int) -> None:
        if not 0 <= key < MEMO:
            raise ValueError(f"value number {key:,}")
        value = self.pop()
        self.push(value)
        self._memo[key] = value

    def recall(self, key: int) -> None:
        self._stack.append(self._memo[key])

    def tuple(self, size: int) -> None:
        found = [self.pop() for _ in range(size)]
        self.push(tuple(found[::-1]))

    def append(self, values: list[Any]) -> None:
        _of(list, self._stack[-1]).extend(values)

    def dictionary(self) -> None:
        items = self.items()
        self.push({})
        self.set(items)

    def set(self, values: list[Any]) -> None:
        target = _of(dict, self._stack[-1])
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_of(bytes, key)] = value

    def name(self) -> None:
        module, name = self.line().decode("ascii"), self.line().decode("ascii")
        what = _KNOWN.get((module, name))
        if what is None:
            raise ValueError(f"it asks for {module}.{name}")
        self.push(_Global(what))

    def reduce(self) -> None:
        """What calling NumPy's function would give, made by ourselves."""
        arguments, called = _of(tuple, self.pop()), _of(_Global, self.pop())
        if called.what == "array":
            if not isinstance(arguments[0], _Global) or arguments[0].what != "class":
                raise ValueError("an array of another class")
            self.push(_Array())
        elif called.what == "dtype":
            self.push(_Dtype(_word(arguments[0])))
        else:
            raise ValueError("an array made by hand")

    def build(self) -> None:
        """Fill an array, or give a type its byte order."""
        state, target = _of(tuple, self.pop()), self._stack[-1]
        if isinstance(target, _Dtype):
            order = _word(state[1])
            kind = _number_type(target.name)
            if order not in {"<", ">", "|", "="}:
                raise ValueError(f"the byte order {order!r}")
            self._replace(target, _Dtype(order + kind.lstrip("<>|=")))
            return
        if _of(_Array, target).value is not None:
            raise ValueError("an array that is filled twice")
        _, shape, dtype, fortran, data = state
        kind = _number_type(_of(_Dtype, dtype).name)
        values = np.frombuffer(data, kind) if _of(bytes, data) else np.empty(0, kind)
        lengths = [_of(int, length) for length in _of(tuple, shape)]
        if any(length < 0 for length in lengths):
            raise ValueError(f"an array of shape {lengths}")
        target.value = values.reshape(lengths, order="F" if fortran else "C")

    def _replace(self, old: Any, new: Any) -> None:
        """The top of the stack, and what is remembered of it."""
        self._stack[-1] = new
        for key, value in self._memo.items():
            if value is old:
                self._memo[key] = new


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__.strip('_')} where a {kind.__name__} must be")
    return value


def _word(value: Any) -> str:
    return value if isinstance(value, str) else str(_of(bytes, value), "ascii")


def _number_type(name: str) -> str:
    if not re.fullmatch("[<>|=]?[biuf][1248]", name):
        raise ValueError(f"an array of {name!r}")
    return name


def _plain(value: Any) -> Any:
    """A dictionary with its arrays, without dictionaries in it; other values as they are."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not isinstance(item, dict)}
    return value


def _whole(text: bytes) -> bool | int:
    """An INT of protocol 0, which also writes the truth values."""
    return text == b"01" if text in {b"00", b"01"} else int(text)


_Action = Callable[[_Machine], Any]
_ACTIONS: dict[bytes, _Action] = {
    b"\x80": lambda m: m.number("<B"),  # PROTO
    b"(": lambda m: m.push(_Mark()),
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"d": lambda m: m.dictionary(),
    b"l": lambda m: m.push(m.items()),  # LIST
    b"t": lambda m: m.push(tuple(m.items())),
    b"\x85": lambda m: m.tuple(1),
    b"\x86": lambda m: m.tuple(2),
    b"\x87": lambda m: m.tuple(3),
    b"a": lambda m: m.append([m.pop()]),
    b"e": lambda m: m.append(m.items()),
    b"s": lambda m: m.set([m.pop(), m.pop()][::-1]),
    b"u": lambda m: m.set(m.items()),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(value=True),
    b"\x89": lambda m: m.push(value=False),
    b"I": lambda m: m.push(_whole(m.line())),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"U": lambda m: m.string("<B"),  # SHORT_BINSTRING
    b"T": lambda m: m.string("<i"),  # BINSTRING
    b"X": lambda m: m.text(),  # BINUNICODE
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    b"p": lambda m: m.remember(int(m.line())),
    b"g": lambda m: m.recall(int(m.line())),
    b"c": lambda m: m.name(),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
}
