"""Plan a request."""

from pathlib import Path

import pytest

from dshub import Hub, Settings


def test_plan_lists_the_errors_of_its_run(tmp_path: Path) -> None:
    """Before anything is done."""
    hub = Hub(settings=Settings(cache=tmp_path / "cache", offline=True))
    plan = hub.plan(hub.resolve("fashion-mnist"))
    (problem,) = plan.problems
    with pytest.raises(type(problem)) as raised:
        hub.run(plan)
    assert str(raised.value) == str(problem)
