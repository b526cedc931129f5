"""Print what each data set gave: `python -m tests.end_to_end.practitioners [WORD…]`."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from dshub import Hub, Settings
from dshub.progress import Silent
from tests.end_to_end.practitioners.case import Case, check_from, check_new
from tests.end_to_end.practitioners.cases import CASES


def outcome(case: Case, route: str) -> str:
    """Return the result of a route, in a few words."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = folder / "cache"
        os.environ |= {"DSHUB_CACHE": str(cache), "HOME": name}
        try:
            if route == "from":
                return check_from(case, folder)
            return check_new(
                case, folder, Hub(settings=Settings.read(cache=cache), progress=Silent())
            )
        except pytest.skip.Exception as error:
            return f"skipped: {error}"
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # the table shows all
            reason = case.pending.get(route)
            message = " ".join(str(error).split()) or type(error).__name__
            return f"pending: {reason}: {message}" if reason else f"WRONG: {message}"


def main() -> None:
    """Print a table of the cases whose titles contain the words."""
    words, width = sys.argv[1:], int(os.environ.get("COLUMNS", "200"))
    for number, case in enumerate(CASES, 1):
        if not all(word.lower() in case.title.lower() for word in words):
            continue
        for route in case.routes:
            line = f"{number:3} {case.title[:60]:60} {route:5}{outcome(case, route)}"
            print(line[:width], flush=True)  # noqa: T201  # the output of the command


if __name__ == "__main__":
    main()
