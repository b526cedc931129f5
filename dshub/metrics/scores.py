"""Metrics of GLUE and SuperGLUE over class numbers, numbers and texts.

Every metric is a fraction from 0 to 1, or a correlation from -1 to 1; leaderboards show percent.
scikit-learn computes F1 and Matthews correlation, SciPy computes Pearson and Spearman correlation.
ReCoRD compares texts as the evaluation script of its authors does, which follows SQuAD's.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from dshub.errors import ArgumentError, needs

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the fraction of equal rows."""
    return float((predictions == labels).mean())


def f1(predictions: np.ndarray, labels: np.ndarray, *, average: str = "binary") -> float:
    """Return F1 of class 1 (`binary`) or the mean F1 of the classes that occur (`macro`)."""
    with needs("scikit-learn", extra="metrics"):
        from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average=average, zero_division=0))


def matthews(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the Matthews correlation; 0 if all predictions or all labels are equal."""
    with needs("scikit-learn", extra="metrics"):
        from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(labels, predictions))


def correlations(predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return Pearson and Spearman correlation.

    They are NaN, with a warning of SciPy, if all predictions or all labels are equal.
    """
    with needs("scipy", extra="metrics"):
        from scipy.stats import pearsonr, spearmanr

    pearson, spearman = pearsonr(predictions, labels), spearmanr(predictions, labels)
    return {"pearson": float(pearson.statistic), "spearmanr": float(spearman.statistic)}


def grouped_exact_match(correct: np.ndarray, groups: Sequence[Hashable]) -> float:
    """Return the fraction of groups with only correct rows.

    Args:
        correct: whether each row is correct, bool (rows,).
        groups: group of each row.
    """
    whole: dict[Hashable, bool] = {}
    for group, right in zip(groups, correct.tolist(), strict=True):
        whole[group] = whole.get(group, True) and right
    return sum(whole.values()) / len(whole)


def gender_parity(predictions: np.ndarray, pairs: Sequence[Hashable]) -> float:
    """Return the fraction of pairs with equal predictions.

    Args:
        predictions: class number of each row.
        pairs: pair of each row; each has two rows, which differ in the gender of a pronoun.

    Raises:
        ArgumentError: a pair does not have two rows.
    """
    members: dict[Hashable, list[int]] = {}
    for pair, prediction in zip(pairs, predictions.tolist(), strict=True):
        members.setdefault(pair, []).append(prediction)
    wrong = [f"pair {pair} with {len(rows)}" for pair, rows in members.items() if len(rows) != 2]
    if wrong:
        expected = "every row of the test split, two for each pair"
        raise ArgumentError(name="predictions", value=wrong[0], expected=expected)
    return sum(first == second for first, second in members.values()) / len(members)


def best_match(
    match: Callable[[str, str], float], predictions: Sequence[str], answers: Sequence[list[str]]
) -> float:
    """Return the mean over the rows of the best match with any correct answer."""
    rows = zip(predictions, answers, strict=True)
    best = [max(match(prediction, answer) for answer in several) for prediction, several in rows]
    return sum(best) / len(best)


def same_text(prediction: str, answer: str) -> float:
    """Return 1 if the normalized texts are equal, else 0."""
    return float(_normalized(prediction) == _normalized(answer))


def text_f1(prediction: str, answer: str) -> float:
    """Return F1 of the words of the normalized texts, counted with repetitions."""
    words, expected = _normalized(prediction), _normalized(answer)
    common = (Counter(words) & Counter(expected)).total()
    return 2 * common / (len(words) + len(expected)) if common else 0.0


def _normalized(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation and articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
