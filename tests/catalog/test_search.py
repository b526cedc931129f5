"""Test the search for datasets and the suggestion of names."""

import pytest

from dshub import Registry
from dshub.catalog.search import Line, Summary, query_words, rank, searchable
from dshub.errors import UnknownNameError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mnits", "mnist"),
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


def test_search_ignores_case_blanks_and_hyphens() -> None:
    registry = Registry()
    for query in (["Fashion_MNIST"], ["fashion", "mnist"], ["FASHION MNIST"], ["fashionmnist"]):
        assert [item.name for item in registry.listing(query)][:1] == ["fashion-mnist"]
    assert registry.listing(["-"]) == []


def test_names_come_before_titles_and_other_text() -> None:
    item = Summary(
        name="family/own-set",
        version="1.0.0",
        title="Pictures of birds",
        summary="Photos from a garden.",
        task="image-classification",
        tags=("wildlife",),
        rows={},
        size=None,
        license=None,
        synthetic=False,
        aliases=("owner/set",),
    )
    text = searchable(item, ["Great tit"])
    queries = ["Family/OWN_SET", "owner/set", "family", "own", "birds", "garden great", "arden"]
    assert [rank(query_words([query]), text) for query in queries] == [0, 0, 1, 2, 3, 4, 5]
    assert rank(query_words(["own fish"]), text) is None
    assert rank(query_words(["gardengreat"]), text) is None


@pytest.mark.parametrize(
    ("typed", "near"),
    [("trousr", "trouser"), ("handwritng", "handwriting"), ("fashon", "fashion"), ("zzzzzz", None)],
)
def test_search_without_match_suggests_words(typed: str, near: str | None) -> None:
    registry = Registry()
    assert registry.listing([typed]) == []
    assert registry.near([typed])[:1] == ([near] if near else [])


def test_line_keeps_the_aliases() -> None:
    line = Line.of(Summary.of(Registry().manifest("mnist")))
    assert line.aliases == line.whole().aliases == ("ylecun/mnist",)
