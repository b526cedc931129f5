import sys

import numpy as np
import pytest

from dshub.errors import MissingExtraError
from dshub.metrics import glue
from dshub.metrics.scores import best_match, gender_parity, grouped_exact_match, same_text, text_f1


@pytest.mark.parametrize(
    ("prediction", "answer", "f1", "equal"),
    [
        ("The  cat", "cat", 1.0, 1.0),
        ("U.S.", "us", 1.0, 1.0),
        ("anthem", "them", 0.0, 0.0),  # "an" is an article only as a word
        ("new new york", "new york", 4 / 5, 0.0),
        ("york new", "New York", 1.0, 0.0),
        ("the", "a", 0.0, 1.0),  # both are empty: equal, without a common word
        ("", "york", 0.0, 0.0),
    ],
    ids=["article", "punctuation", "part-of-a-word", "repeated", "order", "empty", "one-empty"],
)
def test_texts_are_compared_as_in_squad(
    prediction: str, answer: str, f1: float, equal: float
) -> None:
    assert text_f1(prediction, answer) == pytest.approx(f1)
    assert same_text(prediction, answer) == equal


def test_best_answer_counts() -> None:
    assert best_match(same_text, ["a b", "c"], [["x", "a b"], ["d", "e"]]) == 0.5


def test_groups_are_correct_if_every_row_is() -> None:
    correct = np.array([True, False, True, True])
    assert grouped_exact_match(correct, ["a", "b", "b", "a"]) == 0.5
    assert grouped_exact_match(correct, [(0, 1), (1, 0), (2, 0), (3, 0)]) == 0.75


def test_pairs_can_be_anywhere() -> None:
    assert gender_parity(np.array([1, 0, 1, 1]), ["x", "y", "x", "y"]) == 0.5


@pytest.mark.parametrize(
    ("task", "module", "package"),
    [
        ("cola", "sklearn.metrics", "scikit-learn"),
        ("mrpc", "sklearn.metrics", "scikit-learn"),
        ("stsb", "scipy.stats", "scipy"),
    ],
)
def test_missing_package_names_the_extra(
    task: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"{package} is not installed") as caught:
        glue(task, [0, 1], [0, 1])
    assert "dshub[metrics]" in caught.value.hint
