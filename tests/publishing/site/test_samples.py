import pytest

from dshub.cache.store import Store
from dshub.catalog.registry import Registry
from dshub.publishing.site.samples import sample, show, stated_counts


def test_rows_are_spread_over_the_split(shared_store: Store) -> None:
    result = sample(Registry().manifest("iris"), "train", shared_store)
    total = len(result.dataset)
    assert result.rows(3) == [0, total // 3, 2 * total // 3]
    assert result.rows(10_000) == list(range(total))


@pytest.mark.parametrize(
    ("name", "gallery", "rows"),
    [("mnist", "image", 24), ("iris", "", 10), ("speech-commands/v0.02", "", 6)],
)
def test_first_split_shows_more_rows(
    name: str, gallery: str, rows: int, shared_store: Store
) -> None:
    """Images are shown as a gallery if all other values are short."""
    manifest = Registry().manifest(name)
    split = next(iter(manifest.splits))
    first = show(manifest, split, shared_store, is_first=True)
    assert first.sample.synthetic
    assert (first.gallery, len(first.rows)) == (gallery, rows)
    other = show(manifest, split, shared_store, is_first=False)
    assert len(other.rows) == rows // 3


def test_stated_counts_come_from_the_manifest() -> None:
    fashion = stated_counts(Registry().manifest("fashion-mnist"), "test", "label")
    assert fashion == [1000] * 10
    assert stated_counts(Registry().manifest("mnist"), "test", "label") == []
