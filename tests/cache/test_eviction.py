"""Test choosing items to evict; `tests/hub/test_eviction.py` evicts from real caches."""

from pathlib import Path

import pytest

from dshub.cache.eviction import DAY, Limits, evictions
from dshub.cache.usage import Item, Removal, Removals
from dshub.errors import DshubError

NOW = 100 * DAY


def item(name: str, *datasets: str, days: float = 1, size: int = 100, pinned: bool = False) -> Item:
    return Item(
        kind="raw",
        name=name,
        datasets=datasets,
        path=Path("/cache") / name,
        size=size,
        used=NOW - days * DAY,
        pinned=pinned,
    )


def evicted(items: list[Item], limits: Limits, garbage: Removals | None = None) -> list[str]:
    removals = evictions(
        items,
        limits,
        now=NOW,
        garbage=lambda: garbage or Removals(),
        is_spare=lambda _: True,
    )
    return [removal.item.name for removal in removals.removed]


def test_least_recently_used_dataset_goes_first() -> None:
    items = [item("a", "new", days=1), item("b", "old", days=9), item("c", "middle", days=5)]
    assert evicted(items, Limits(max_size=200)) == ["b"]
    assert evicted(items, Limits(max_size=100)) == ["b", "c"]


def test_shared_file_goes_with_the_last_dataset_that_needs_it() -> None:
    items = [item("own", "old", days=9), item("shared", "old", "new", days=9), item("n", "new")]
    assert evicted(items, Limits(older_than=5 * DAY)) == ["own"]


def test_garbage_goes_before_any_dataset() -> None:
    leftover = item("leftover", size=100, days=0)
    items = [item("a", "old", days=9), leftover]
    garbage = Removals((Removal(leftover, "left over"),))
    assert evicted(items, Limits(max_size=100), garbage) == ["leftover"]


def test_pinned_items_larger_than_the_limit_are_an_error() -> None:
    items = [item("a", "kept", pinned=True), item("b", "old")]
    with pytest.raises(DshubError, match=r"100 B cannot be evicted \(100 B pinned\)"):
        evicted(items, Limits(max_size=50))
