"""A line at the end that says how many manifests went round."""

import pytest

_WENT_ROUND: list[int] = []


@pytest.fixture
def went_round() -> list[int]:
    """Gets the number of splits of each manifest that went round."""
    return _WENT_ROUND


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it."""
    if _WENT_ROUND:
        told = f"{len(_WENT_ROUND)} manifests with {sum(_WENT_ROUND)} splits went round"
        terminalreporter.write_line(told)
