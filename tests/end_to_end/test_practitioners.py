"""Take the data sets of practitioners through every route; see `practitioners`."""

from pathlib import Path
from typing import Any

import pytest

from dshub import Hub
from tests.end_to_end.practitioners.case import Case, check_from, check_new
from tests.end_to_end.practitioners.cases import CASES


def routes(wanted: str) -> list[Any]:
    """Return the cases with a route; those that wait for something are expected to fail."""
    found = []
    for case in CASES:
        reason = case.pending.get(wanted)
        marks: list[Any] = [pytest.mark.xfail(strict=False, reason=reason)] if reason else []
        marks += [pytest.mark.slow] if case.slow else []
        if wanted in case.routes:
            found.append(pytest.param(case, id=case.title.replace(" ", "-"), marks=marks))
    return found


@pytest.mark.parametrize("case", routes("new"))
def test_new_check_load_and_batches_give_the_rows(case: Case, tmp_path: Path, hub: Hub) -> None:
    check_new(case, tmp_path, hub)


@pytest.mark.parametrize("case", routes("from"))
def test_from_functions_and_batches_give_the_rows(case: Case, tmp_path: Path) -> None:
    check_from(case, tmp_path)


def test_titles_are_unique() -> None:
    titles = [case.title for case in CASES]
    assert len(titles) == len(set(titles))
