"""Test the layouts of a manifest."""

from pathlib import Path

import pytest

from dshub import Registry
from dshub.catalog.manifest import laid_out
from dshub.catalog.parsing import parse
from dshub.catalog.sources import built_in_root
from dshub.errors import ManifestError

TEXT = """
schema = 1
name = "birds"
version = "1.0.0"
title = "Birds"
summary = "Images."
task = "image-classification"
homepage = "https://example.org"
[resources.archive]
filename = "birds.tar"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[features.image]
kind = "image"
encoding = "jpeg"
[features.label]
kind = "label"
names = ["crow", "duck"]
[splits.train]
rows = 3
reader = { format = "folder", path = "{label}/{name}.jpg" }
files = { image = "archive:*.jpg" }
"""

LAYOUT = """
[layouts.tree]
split = "train"
title = "a folder for each class"
reader = { format = "folder", path = "birds/{label}/{name}.jpg" }
files = { image = "local:birds/*/*.jpg" }
"""


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('split = "train"', 'split = "test"'), "layouts.tree.split: 'test' is not among"),
        (("local:birds", "elsewhere:birds"), "layouts.tree.files.image: 'elsewhere' is not among"),
        (("local:birds/*/*.jpg", "archive:*.jpg"), "layouts.tree.files: must include a file"),
        (("local:birds/*/*.jpg", "local"), "layouts.tree.files: 'local' needs a member"),
        (("local:birds", "local:../birds"), "leads out of the archive"),
        (('"folder"', '"folders"'), "layouts.tree.reader.format: 'folders' is not a reader"),
        (("title =", "titel ="), "layouts.tree.titel: unknown field; did you mean title?"),
        (("[layouts.tree]", "[layouts.Tree]"), "layouts.Tree: must be made of"),
    ],
)
def test_layout_fault_names_its_place(change: tuple[str, str], fault: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(TEXT + LAYOUT.replace(*change), source="test")
    assert fault in str(caught.value)


def test_resource_named_local_is_rejected() -> None:
    with pytest.raises(ManifestError, match=r"resources\.local: is reserved for local files"):
        parse(TEXT.replace("resources.archive", "resources.local"), source="test")


def test_layout_does_not_change_the_digest() -> None:
    """A layout can be added to a released manifest, because it does not change the rows."""
    without_layout, with_layout = parse(TEXT, source="test"), parse(TEXT + LAYOUT, source="test")
    assert with_layout.layouts
    assert without_layout.digest == with_layout.digest


def test_layout_field_of_a_split_is_rejected() -> None:
    with pytest.raises(ManifestError, match=r"splits\.train\.layout: is not allowed"):
        parse(TEXT + 'layout = "tree"\n', source="test")


def test_registry_layouts_have_readers_and_replace_their_splits() -> None:
    from dshub import formats

    count = 0
    for name in Registry().names():
        manifest = Registry().manifest(name)
        for layout, item in manifest.layouts.items():
            assert formats.create(item.reader)
            assert list(laid_out(manifest, layout).splits) == [item.split]
            count += 1
    assert count >= 12
    assert (Path(built_in_root()) / "imagenet-1k").is_dir()
