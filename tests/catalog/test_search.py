"""Test the search for datasets and the suggestion of names."""

import pytest

from dshub import Registry
from dshub.errors import UnknownNameError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mnits", "mnist"),
        ("MNIST", "mnist"),
        ("fashion_mnist", "fashion-mnist"),
        ("FashionMNIST", "fashion-mnist"),
        ("emnist-letters", "emnist/letters"),
        ("letters", "emnist/letters"),
        ("emnits", "emnist"),
        ("qmnst", "qmnist"),
    ],
)
def test_misspelled_name_suggests_the_right_one(typed: str, meant: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        Registry().expand([typed])
    assert meant in caught.value.close
    assert meant in caught.value.hint


def test_search_finds_datasets_with_all_words() -> None:
    registry = Registry()
    assert [item.name for item in registry.listing(["trouser"])] == ["fashion-mnist"]
    assert [item.name for item in registry.listing(["Japanese", "cursive"])] == ["kmnist"]
    assert registry.listing(["trouser", "japanese"]) == []


def test_listing_finds_words_in_classes() -> None:
    assert [item.name for item in Registry().listing(["Trouser"])] == ["fashion-mnist"]
    assert len(Registry().listing()) == len(Registry().names())
