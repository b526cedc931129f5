"""Work that is done again where something of the cache vanished under it.

`dshub cache` may run beside it. Between finding a file and opening it, that can remove the file;
afterwards it is fetched or made anew like any other that is missing.
"""

from collections.abc import Callable
from typing import TypeVar

from dshub.errors import DshubError

TRIES = 5  # what vanishes as often is being removed in a loop

Result = TypeVar("Result")


def persistent(work: Callable[[], Result]) -> Result:
    """The result of some work, which is done again while files vanish under it."""
    for _ in range(TRIES - 1):
        try:
            return work()
        except DshubError as error:
            if not _has_vanished(error):
                raise
    return work()


def _has_vanished(error: BaseException | None) -> bool:
    """Whether an error began with a file that is not there."""
    while error is not None:
        if isinstance(error, FileNotFoundError):
            return True
        error = error.__cause__
    return False
