from pathlib import Path

from dshub import Hub, Settings


def test_plan_lists_missing_files_without_a_source(tmp_path: Path) -> None:
    hub = Hub(settings=Settings(cache=tmp_path / "cache", offline=True))
    plan = hub.plan(hub.resolve("fashion-mnist"))
    assert (plan.cached, len(plan.missing)) == ((), 4)
    assert plan.size == hub.info("fashion-mnist").size
