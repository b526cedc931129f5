"""Other forms of a dataset in its manifest."""

from pathlib import Path

import pytest

from dshub import Registry
from dshub.catalog.layouts import laid_out
from dshub.catalog.parsing import parse
from dshub.catalog.sources import built_in_root
from dshub.errors import ManifestError

TEXT = """
schema = 1
name = "birds"
version = "1.0.0"
title = "Birds"
summary = "Pictures."
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
        (("local:birds/*/*.jpg", "archive:*.jpg"), "layouts.tree.files: are those of the manifest"),
        (("local:birds/*/*.jpg", "local"), "layouts.tree.files: 'local' is no file"),
        (("local:birds", "local:../birds"), "leads out of the archive"),
        (('"folder"', '"folders"'), "layouts.tree.reader.format: 'folders' is not a reader"),
        (("title =", "titel ="), "layouts.tree.titel: unknown field; did you mean title?"),
        (("[layouts.tree]", "[layouts.Tree]"), "layouts.Tree: names are made of"),
    ],
)
def test_every_fault_of_a_layout_is_told_with_its_place(
    change: tuple[str, str], fault: str
) -> None:
    """As everywhere in a manifest."""
    with pytest.raises(ManifestError) as caught:
        parse(TEXT + LAYOUT.replace(*change), source="test")
    assert fault in str(caught.value)


def test_no_file_may_have_the_name_of_what_a_person_has() -> None:
    """Else it would not be clear what a layout means."""
    with pytest.raises(ManifestError, match=r"resources\.local: means what a person has"):
        parse(TEXT.replace("resources.archive", "resources.local"), source="test")


def test_a_layout_changes_no_digest() -> None:
    """It can be added to a manifest that was released: the rows are the same."""
    without, with_one = parse(TEXT, source="test"), parse(TEXT + LAYOUT, source="test")
    assert with_one.layouts
    assert without.digest == with_one.digest


def test_a_manifest_says_in_no_split_which_layout_it_has() -> None:
    """That is known when it has been imported."""
    with pytest.raises(ManifestError, match=r"splits\.train\.layout: is for dshub to fill in"):
        parse(TEXT + 'layout = "tree"\n', source="test")


def test_every_layout_of_the_registry_has_a_reader_with_such_options() -> None:
    """And can be put in the place of its split."""
    from dshub import formats

    found = 0
    for name in Registry().names():
        manifest = Registry().manifest(name)
        for layout, item in manifest.layouts.items():
            assert formats.create(item.reader)
            assert list(laid_out(manifest, layout).splits) == [item.split]
            found += 1
    assert found >= 12
    assert (Path(built_in_root()) / "imagenet-1k").is_dir()
