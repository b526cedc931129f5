"""Searching datasets, and suggestions for names that are not found."""

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
def test_a_misspelt_name_suggests_the_right_one(typed: str, meant: str) -> None:
    """The error says what was probably meant."""
    with pytest.raises(UnknownNameError) as caught:
        Registry().expand([typed])
    assert meant in caught.value.close
    assert meant in caught.value.hint


def test_search_finds_by_name_words_and_classes() -> None:
    """All words must occur, anywhere."""
    registry = Registry()
    assert [item.name for item in registry.search(["trouser"])] == ["fashion-mnist"]
    assert [item.name for item in registry.search(["Japanese", "cursive"])] == ["kmnist"]
    assert registry.search(["trouser", "japanese"]) == []


def test_search_of_indexed_manifests_finds_classes_too() -> None:
    """A listing has the same words as the manifests that it stands for."""
    assert [item.name for item in Registry().listing(["Trouser"])] == ["fashion-mnist"]
    assert len(Registry().listing()) == len(Registry().names())
