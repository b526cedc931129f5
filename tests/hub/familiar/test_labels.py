"""Test familiar names of labels, manifests and splits."""

import pytest

from dshub import Hub
from dshub.catalog.citations import bibtex
from dshub.catalog.features import LabelFeature
from dshub.errors import ArgumentError

LABEL = LabelFeature(names=("cat", "dog"))


def test_classes_have_numbers_and_names() -> None:
    assert [LABEL.str2int("dog"), LABEL.encode_example("dog")] == [1, 1]
    assert [LABEL.int2str(1), LABEL.decode_example(1)] == ["dog", "dog"]
    assert LABEL.str2int(["dog", "cat"]) == [1, 0]
    with pytest.raises(ArgumentError, match="one of the classes cat, dog"):
        LABEL.str2int("bird")


def test_manifest_has_the_facts_of_dataset_info(hub: Hub) -> None:
    manifest = hub.info("mnist")
    assert manifest.description == manifest.summary
    assert manifest.citation == bibtex(manifest.citations[0])
    assert manifest.supervised_keys == ("image", "label")
    assert manifest.full_name == "mnist@1.0.0"
    assert manifest.splits["train"].num_examples == 60_000
