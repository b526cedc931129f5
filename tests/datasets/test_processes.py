"""Test worker processes."""

import multiprocessing
import operator
import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from dshub.datasets import processes
from dshub.datasets.processes import in_processes
from dshub.errors import DshubError


@pytest.fixture(params=["fork", "spawn"])
def _method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param not in multiprocessing.get_all_start_methods():
        pytest.skip("the system has no fork")
    monkeypatch.setattr(processes, "METHOD", request.param)
    yield
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("_method")
def test_every_number_is_worked_on_once() -> None:
    assert sorted(in_processes(operator.neg, 10, 2)) == list(range(-9, 1))


@pytest.mark.usefixtures("_method")
def test_first_error_ends_all_processes() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_processes(divide, 1000, 2))


def divide(number: int) -> int:
    return 1 // (number - 1)


@pytest.mark.usefixtures("_method")
def test_closed_iterator_ends_all_processes() -> None:
    with closing(in_processes(operator.neg, 1000, 2)) as results:
        next(results)


def test_process_that_dies_is_an_error() -> None:
    with pytest.raises(DshubError, match="a worker process died") as raised:
        list(in_processes(os._exit, 3, 2))
    assert "fewer workers" in raised.value.hint


def test_function_that_other_processes_cannot_import_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Spawned processes, as on Windows and macOS, import the function by name."""
    monkeypatch.setattr(processes, "METHOD", "spawn")
    with pytest.raises(DshubError, match="cannot be sent to worker processes") as raised:
        list(in_processes(lambda number: number, 3, 2))
    assert raised.value.hint == "define it at the top level of a module, or use workers=1"
    assert not multiprocessing.active_children()
