import os
import threading
import time

import pytest

from dshub.loading.workers import Workers


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 300])
def test_every_row_is_handled_once(threads: int, count: int) -> None:
    rows: list[int] = []
    workers = Workers(threads)
    for _ in range(2):
        workers.run(rows.append, count)
    assert sorted(rows) == sorted([*range(count), *range(count)])


def test_rows_are_handled_at_the_same_time() -> None:
    meeting = threading.Barrier(3)

    def meet(_: int) -> None:
        meeting.wait(60)

    Workers(3).run(meet, 3)
    assert not meeting.broken


def test_one_thread_is_the_caller() -> None:
    names: set[str] = set()
    Workers(1).run(lambda _: names.add(threading.current_thread().name), 4)
    assert names == {threading.current_thread().name}


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_error_of_the_first_row_that_fails_is_raised(threads: int) -> None:
    def fail(row: int) -> None:
        if row == 5:
            time.sleep(0.05)  # row 6 fails earlier
        if row >= 5:
            raise ValueError(f"row {row}")

    workers = Workers(threads)
    for _ in range(5):
        with pytest.raises(ValueError, match="row 5"):
            workers.run(fail, 40)
    handled: list[int] = []
    workers.run(handled.append, 3)
    assert sorted(handled) == [0, 1, 2]


def test_several_callers_share_the_threads() -> None:
    workers, totals = Workers(2), [0, 0]

    def count(caller: int) -> None:
        rows: list[int] = []
        workers.run(rows.append, 200)
        totals[caller] = len(set(rows))

    callers = [threading.Thread(target=count, args=(caller,)) for caller in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert totals == [200, 200]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_starts_its_own_threads() -> None:
    workers = Workers(2)
    workers.run(lambda _: None, 4)
    child = os.fork()
    if not child:
        rows: list[int] = []
        try:
            workers.run(rows.append, 4)
        finally:
            os._exit(0 if len(rows) == 4 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
