"""Test manifest digests, which change only with the rows."""

from typing import Any

import msgspec
import pytest

from dshub import Registry
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Citation, License, Limits, Manifest, Split

MANIFEST = Registry().manifest("fashion-mnist")
WORDS = "a word"


def manifest_with_entry(table: str, name: str, **changes: Any) -> Manifest:
    """Return the manifest with one entry of a table changed."""
    entries = getattr(MANIFEST, table)
    entry = msgspec.structs.replace(entries[name], **changes)
    return msgspec.structs.replace(MANIFEST, **{table: entries | {name: entry}})


@pytest.mark.parametrize(
    "corrected",
    [
        *(
            msgspec.structs.replace(MANIFEST, **change)
            for change in (
                {"title": WORDS},
                {"summary": WORDS},
                {"task": WORDS},
                {"homepage": WORDS},
                {"tags": (WORDS,)},
                {"license": License(spdx="CC0-1.0")},
                {"citations": (Citation(type="misc", key="k", title="t", author=("a",)),)},
            )
        ),
        manifest_with_entry("resources", "test-images", urls=("https://new.example/file.gz",)),
        manifest_with_entry("resources", "test-images", filename="other.gz"),
        manifest_with_entry("resources", "test-images", limits=Limits(ratio=1000)),
    ],
)
def test_descriptions_and_urls_do_not_change_the_digest(corrected: Manifest) -> None:
    assert corrected != MANIFEST
    assert corrected.digest == MANIFEST.digest


LABEL = MANIFEST.features["label"]
TRAIN = MANIFEST.splits["train"]
assert isinstance(LABEL, LabelFeature)


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(MANIFEST, name="other"),
        msgspec.structs.replace(MANIFEST, version="1.0.1"),
        msgspec.structs.replace(MANIFEST, supervised=("label", "image")),
        msgspec.structs.replace(MANIFEST, splits={"train": TRAIN}),
        msgspec.structs.replace(MANIFEST, splits=MANIFEST.splits | {"more": TRAIN}),
        manifest_with_entry("resources", "test-images", sha256="0" * 64),
        manifest_with_entry("resources", "test-images", size=1),
        manifest_with_entry("resources", "test-images", content_sha256="0" * 64),
        manifest_with_entry("features", "label", names=LABEL.names[::-1]),
        manifest_with_entry("features", "label", first=1),
        manifest_with_entry("features", "image", shape=(14, 56, 1)),
        manifest_with_entry("features", "image", dtype="int8"),
        manifest_with_entry("splits", "train", rows=1),
        manifest_with_entry("splits", "train", files=MANIFEST.splits["test"].files),
        manifest_with_entry("splits", "train", reader={"format": "idx", "transpose": ["image"]}),
        manifest_with_entry("splits", "train", without=("label",)),
    ],
)
def test_everything_that_affects_rows_changes_the_digest(changed: Manifest) -> None:
    assert changed.digest != MANIFEST.digest


def test_order_of_tables_does_not_change_the_digest() -> None:
    splits: dict[str, Split] = dict(reversed(MANIFEST.splits.items()))
    assert msgspec.structs.replace(MANIFEST, splits=splits).digest == MANIFEST.digest
