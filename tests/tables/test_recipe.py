from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dshub.cache.store import Store
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.catalog.manifest import Citation, License, Manifest
from dshub.download.fetcher import Fetcher
from dshub.tables.recipe import REVISIONS, find, recipe
from tests.preparing import prepare
from tests.tables.upstream import Upstream, with_split


def test_table_in_a_read_only_layer_is_found(upstream: Upstream, tmp_path: Path) -> None:
    manifest = upstream.manifest()
    folder = prepare(manifest, "train", upstream.fetcher)
    store = Store(tmp_path / "store", [upstream.store.root])
    assert prepare(manifest, "train", Fetcher(store, offline=True)) == folder
    assert not (tmp_path / "store").exists()


CHANGES: dict[str, tuple[bool, Callable[[Manifest], Manifest]]] = {
    "title": (True, lambda m: msgspec.structs.replace(m, title="Other", summary="words")),
    "version": (True, lambda m: msgspec.structs.replace(m, version="1.0.1")),
    "license": (True, lambda m: msgspec.structs.replace(m, license=License(spdx="MIT"))),
    "citations": (
        True,
        lambda m: msgspec.structs.replace(
            m, citations=(Citation(type="misc", key="k", title="t", author=("A",)),)
        ),
    ),
    "urls": (True, lambda m: _resource(m, urls=("https://example.invalid/file",))),
    "size": (True, lambda m: _resource(m, size=None)),
    "checksum": (False, lambda m: _resource(m, sha256="0" * 64)),
    "shape": (
        False,
        lambda m: msgspec.structs.replace(
            m, features=m.features | {"image": ImageFeature(shape=(3, 4, 1))}
        ),
    ),
    "class names": (
        False,
        lambda m: msgspec.structs.replace(
            m, features=m.features | {"label": LabelFeature(names=("a", "b", "d"))}
        ),
    ),
    "reader option": (
        False,
        lambda m: with_split(m, reader={"format": "idx", "transpose": ["image"]}),
    ),
    "member": (
        False,
        lambda m: with_split(m, files={"image": "train-image:m", "label": "train-label"}),
    ),
    "labels": (False, lambda m: with_split(m, without=("label",))),
}


def _resource(manifest: Manifest, **changes: Any) -> Manifest:
    changed = msgspec.structs.replace(manifest.resources["train-image"], **changes)
    resources = manifest.resources | {"train-image": changed}
    return msgspec.structs.replace(manifest, resources=resources)


@pytest.mark.parametrize("change", CHANGES)
def test_recipe_changes_only_if_the_rows_can_change(upstream: Upstream, change: str) -> None:
    manifest = upstream.manifest()
    same, make = CHANGES[change]
    changed = make(manifest)
    assert (recipe(changed, "train").key == recipe(manifest, "train").key) == same
    assert (recipe(changed, "test").key == recipe(manifest, "test").key) == (
        same or change in {"checksum", "reader option", "member", "labels"}
    )
    prepare(manifest, "train", upstream.fetcher)
    assert (find(changed, "train", upstream.store) is not None) == same


def test_new_revision_of_a_reader_needs_a_new_table(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = upstream.manifest()
    old = prepare(manifest, "train", upstream.fetcher)
    monkeypatch.setitem(REVISIONS, "idx", 2)
    assert find(manifest, "train", upstream.store) is None
    assert prepare(manifest, "train", upstream.fetcher) != old
