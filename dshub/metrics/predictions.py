"""Turn predictions and labels of any framework into class numbers, numbers or texts."""

from numbers import Real
from typing import Any

import numpy as np

from dshub.errors import ArgumentError
from dshub.metrics.rows import find_column
from dshub.metrics.tasks import Task

_UNPUBLISHED = "the labels of most test splits are not public; evaluate on the validation split"


def class_numbers(argument: str, values: Any, task: Task) -> np.ndarray:
    """Return the class number of each row, int64 (rows,).

    Args:
        argument: name of the argument in errors.
        values: class numbers or class names, one for each row, or scores (rows, classes); the class
            with the highest score counts. Lists, arrays and tensors of torch, TensorFlow and JAX
            are accepted.
        task: task with classes.

    Raises:
        ArgumentError: a value is not a class, or the shape is wrong.
    """
    array = _array(argument, values)
    if array.ndim == 2 and array.dtype.kind in "iuf":
        return _highest(argument, array, task)
    if array.ndim != 1 or not len(array):
        raise _shape_error(argument, array, _expected(task))
    if array.dtype.kind in "UOST":
        return _named(argument, array.tolist(), task)
    wrong = ~np.isin(array, range(len(task.classes)))
    if wrong.any():
        raise _value_error(argument, array, int(wrong.argmax()), task)
    return array.astype(np.int64)


def numbers(argument: str, values: Any) -> np.ndarray:
    """Return the number of each row, float64 (rows,); (rows, 1) is accepted.

    Raises:
        ArgumentError: a value is not a finite number, or the shape is wrong.
    """
    array = _array(argument, values)
    expected = "a finite number for each row"
    if array.dtype.kind not in "biuf" or array.ndim != 1 or not len(array):
        raise _shape_error(argument, array, expected)
    array = array.astype(np.float64)
    wrong = ~np.isfinite(array)
    if wrong.any():
        row = int(wrong.argmax())
        name = f"{argument}, row {row}"
        raise ArgumentError(name=name, value=float(array[row]), expected="a finite number")
    return array


def texts(argument: str, values: Any, rows: Any = None) -> list[str]:
    """Return the text of each row.

    Args:
        argument: name of the argument in errors.
        values: text of each row, or scores of the row's `entities`; the best entity counts.
        rows: columns of the rows, if `values` holds scores.

    Raises:
        ArgumentError: a value is neither.
    """
    entities = None if rows is None else find_column(rows, "entities")
    chosen = []
    for row, value in enumerate(_listed(argument, values)):
        if not isinstance(value, str):
            value = _best(f"{argument}, row {row}", value, entities and entities[row])  # noqa: PLW2901
        chosen.append(str(value))
    if not chosen:
        raise ArgumentError(name=argument, value=values, expected="a text for each row")
    return chosen


def answer_lists(argument: str, values: Any) -> list[list[str]]:
    """Return the correct answers of each row.

    Raises:
        ArgumentError: a row has no answers, or they are not texts.
    """
    rows = []
    for row, answers in enumerate(_listed(argument, values)):
        several = [answers] if isinstance(answers, str) else list(answers)
        if not several or not all(isinstance(answer, str) for answer in several):
            name = f"{argument}, row {row}"
            raise ArgumentError(
                name=name, value=answers, expected="a list of texts", hint=_UNPUBLISHED
            )
        rows.append(several)
    return rows


def _listed(argument: str, values: Any) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise ArgumentError(name=argument, value=values, expected="one value per row") from None


def _array(argument: str, values: Any) -> np.ndarray:
    """Return values as an array; (rows, 1) becomes (rows,)."""
    if hasattr(values, "detach"):  # torch
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values  # NumPy has no bfloat16
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(
            name=argument,
            value=values,
            expected="an array, or a list with one value for each row",
            hint="concatenate the predictions of all batches first",
        ) from None
    if array.dtype.kind == "V":  # bfloat16 of TensorFlow and JAX
        array = array.astype(np.float64)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _highest(argument: str, scores: np.ndarray, task: Task) -> np.ndarray:
    if not len(scores) or scores.shape[1] != len(task.classes):
        raise _shape_error(argument, scores, _expected(task))
    wrong = np.isnan(scores).any(axis=1)
    if wrong.any():
        name = f"{argument}, row {int(wrong.argmax())}"
        raise ArgumentError(name=name, value=float("nan"), expected="a score for each class")
    highest: np.ndarray = scores.argmax(axis=1)
    return highest


def _named(argument: str, values: list[Any], task: Task) -> np.ndarray:
    """Return the numbers of class names, in any case; values can also be class numbers."""
    known: dict[object, int] = {name.casefold(): i for i, name in enumerate(task.classes)}
    known |= {number: number for number in range(len(task.classes))}
    found = [known.get(_key(value)) for value in values]
    if None in found:
        raise _value_error(argument, values, found.index(None), task)
    return np.array(found, dtype=np.int64)


def _key(value: Any) -> object:
    """Return a class name in lower case or a number; TensorFlow's texts are bytes."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if isinstance(text, str):
        return text.casefold()
    return text if isinstance(text, Real) else None


def _best(name: str, scores: Any, entities: Any) -> str:
    """Return the entity with the highest score."""
    array = _array(name, scores)
    if entities is None or array.dtype.kind not in "iuf" or array.shape != (len(entities),):
        raise ArgumentError(
            name=name,
            value=scores,
            expected="the text of an entity, or a score for each entity of the row in rows=",
        )
    return str(entities[int(array.argmax())])


def _expected(task: Task) -> str:
    count = len(task.classes)
    return f"class numbers or names (rows,), or scores (rows, {count}), with at least one row"


def _shape_error(argument: str, array: np.ndarray, expected: str) -> ArgumentError:
    shape = f"an array {array.shape} of {array.dtype}"
    return ArgumentError(name=argument, value=shape, expected=expected)


def _value_error(argument: str, values: Any, row: int, task: Task) -> ArgumentError:
    names = ", ".join(f"{number} ({name})" for number, name in enumerate(task.classes))
    value = values[row].item() if isinstance(values, np.ndarray) else values[row]
    hint = _UNPUBLISHED if value is None or (isinstance(value, Real) and value == -1) else ""
    return ArgumentError(name=f"{argument}, row {row}", value=value, expected=names, hint=hint)
