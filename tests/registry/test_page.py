"""Compare registry/README.md with the code."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from dshub import formats, plugins
from dshub.catalog.features import Feature
from dshub.catalog.manifest import Layout, License, Manifest, Resource, Split, Step
from dshub.catalog.sources import built_in_root

PAGE = (Path(__file__).parents[2] / "registry" / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
READERS = re.findall(r"^reader = .*$", "".join(BLOCKS), re.MULTILINE)


@pytest.mark.parametrize("line", READERS)
def test_readers_on_the_page_have_valid_options(line: str) -> None:
    text = re.sub(r"\s+#.*", "", line)
    assert formats.create(tomllib.loads(text)["reader"])


def test_every_reader_is_on_the_page() -> None:
    shown = {tomllib.loads(re.sub(r"\s+#.*", "", line))["reader"]["format"] for line in READERS}
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert shown == listed == set(plugins.built_in("formats"))


def test_every_feature_and_step_is_on_the_page() -> None:
    features = tomllib.loads(next(block for block in BLOCKS if "[features.words]" in block))
    kinds = {item["kind"] for item in features["features"].values()}
    assert kinds == {kind.__struct_config__.tag for kind in Feature.__args__}
    for item in features["features"].values():
        msgspec.convert(item, Feature)
    steps = tomllib.loads(next(block for block in BLOCKS if block.startswith("steps")))["steps"]
    assert {step["step"] for step in steps} == {
        kind.__struct_config__.tag for kind in Step.__args__
    }
    for step in steps:
        msgspec.convert(step, Step)


def test_every_field_of_a_manifest_is_on_the_page() -> None:
    fields = chain.from_iterable(
        kind.__struct_fields__ for kind in (Manifest, Resource, Split, License, Layout)
    )
    assert [name for name in fields if not re.search(rf"\b{name}\b", PAGE)] == []


def test_example_datasets_on_the_page_exist() -> None:
    for name in re.findall(r"`registry/([\w/-]+)`", PAGE):
        assert list((built_in_root() / name).glob("*.toml")), name
