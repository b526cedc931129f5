"""Compare each task's metrics with its definition, with scikit-learn and with SciPy."""

import math
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError, UnknownNameError
from dshub.metrics import glue, glue_score, superglue, superglue_score
from dshub.metrics.tasks import GLUE, SUPERGLUE

sklearn = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")

# 3 true positives, 2 true negatives, 1 false positive, 2 false negatives
LABELS = [1, 1, 1, 0, 0, 0, 1, 1]
PREDICTIONS = [1, 1, 1, 0, 0, 1, 0, 0]
ACCURACY, F1 = 5 / 8, 2 * 3 / (2 * 3 + 1 + 2)
MATTHEWS = (3 * 2 - 1 * 2) / math.sqrt((3 + 1) * (3 + 2) * (2 + 1) * (2 + 2))

TWO_CLASSES = {
    "cola": {"matthews_correlation": MATTHEWS},
    "mrpc": {"accuracy": ACCURACY, "f1": F1},
    "qnli": {"accuracy": ACCURACY},
    "qqp": {"accuracy": ACCURACY, "f1": F1},
    "rte": {"accuracy": ACCURACY},
    "sst2": {"accuracy": ACCURACY},
    "wnli": {"accuracy": ACCURACY},
}
TWO_CLASSES_SUPER = {
    "axb": {"matthews_correlation": MATTHEWS},
    "boolq": {"accuracy": ACCURACY},
    "copa": {"accuracy": ACCURACY},
    "rte": {"accuracy": ACCURACY},
    "wic": {"accuracy": ACCURACY},
    "wsc": {"accuracy": ACCURACY},
}
THREE, THREE_PREDICTED = [0, 1, 2, 0, 1, 2, 0], [0, 1, 1, 0, 2, 2, 1]


@pytest.mark.parametrize("task", TWO_CLASSES)
def test_metrics_of_glue_follow_their_definition(task: str) -> None:
    assert glue(task, PREDICTIONS, LABELS) == pytest.approx(TWO_CLASSES[task])


@pytest.mark.parametrize("task", TWO_CLASSES_SUPER)
def test_metrics_of_superglue_follow_their_definition(task: str) -> None:
    assert superglue(task, PREDICTIONS, LABELS) == pytest.approx(TWO_CLASSES_SUPER[task])


@pytest.mark.parametrize("task", ["mnli", "mnli_matched", "mnli_mismatched"])
def test_mnli_is_accuracy_of_three_classes(task: str) -> None:
    assert glue(task, THREE_PREDICTED, THREE) == {"accuracy": 4 / 7}


def test_diagnostics_of_glue_are_matthews_correlation_of_three_classes() -> None:
    expected = sklearn.matthews_corrcoef(THREE, THREE_PREDICTED)
    assert glue("ax", THREE_PREDICTED, THREE) == {"matthews_correlation": expected}


def test_cb_is_accuracy_and_mean_f1_of_the_classes() -> None:
    # class 0: 2 right of 2 predicted and 3; class 1: 1 of 3 and 2; class 2: 1 of 2 and 2
    macro = (4 / 5 + 2 / 5 + 2 / 4) / 3
    expected = {"accuracy": 4 / 7, "f1": macro}
    assert superglue("cb", THREE_PREDICTED, THREE) == pytest.approx(expected)
    assert macro == pytest.approx(sklearn.f1_score(THREE, THREE_PREDICTED, average="macro"))


def test_stsb_is_both_correlations_of_scipy() -> None:
    scores, labels = [0.5, 4.9, 3.0, 3.0, 1.2], [0.0, 5.0, 3.5, 2.5, 2.5]
    assert glue("stsb", scores, labels) == {
        "pearson": stats.pearsonr(scores, labels)[0],
        "spearmanr": stats.spearmanr(scores, labels)[0],
    }


def test_f1_without_positives_is_zero() -> None:
    assert glue("mrpc", [0, 0], [0, 0]) == {"accuracy": 1.0, "f1": 0.0}


def test_multirc_counts_answers_for_f1_and_questions_for_exact_match() -> None:
    rows = {  # questions are numbered within their paragraph
        "idx_paragraph": [0, 0, 0, 1, 1, 1, 1],
        "idx_question": [0, 0, 1, 0, 0, 1, 1],
        "idx_answer": [0, 1, 0, 0, 1, 0, 1],
    }
    labels = [1, 0, 1, 0, 0, 1, 1]
    predictions = [1, 0, 0, 0, 0, 1, 0]  # questions 0/1 and 1/1 have a wrong answer
    expected = {"f1_a": 2 * 2 / (2 * 2 + 2), "exact_match": 2 / 4}
    assert superglue("multirc", predictions, labels, rows=rows) == pytest.approx(expected)
    shuffled = [4, 2, 0, 6, 1, 5, 3]
    assert superglue(
        "multirc",
        [predictions[i] for i in shuffled],
        [labels[i] for i in shuffled],
        rows=Dataset.from_arrays({name: np.array(v)[shuffled] for name, v in rows.items()}),
    ) == pytest.approx(expected)


def test_multirc_takes_the_index_of_hugging_face() -> None:
    idx = [{"paragraph": 0, "question": q, "answer": a} for q, a in [(0, 0), (0, 1), (1, 0)]]
    result = superglue("multirc", [1, 1, 1], [1, 0, 1], rows={"idx": idx})
    assert result == {"f1_a": 2 * 2 / (2 * 2 + 1), "exact_match": 1 / 2}


def test_multirc_without_rows_names_the_columns() -> None:
    with pytest.raises(ArgumentError, match=r"rows is None; it must be .*idx_paragraph and idx_q"):
        superglue("multirc", [1], [1])


def test_record_takes_the_best_answer_after_normalizing_texts() -> None:
    predictions = ["The U.S.", "Barack Obama", "Paris, France", "London"]
    answers = [["us", "America"], ["Obama", "President Obama"], ["Paris"], ["Berlin"]]
    # F1: equal; one of two and one word; one of two and one word; no common word
    expected = {"f1": (1 + 2 / 3 + 2 / 3 + 0) / 4, "exact_match": 1 / 4}
    assert superglue("record", predictions, answers) == pytest.approx(expected)


def test_record_takes_the_entity_with_the_highest_score() -> None:
    rows = {"entities": [["Oslo", "Rome"], ["Bonn", "Kiel", "Trier"]]}
    scores = [np.array([0.1, 0.9]), [2.0, -1.0, 1.0]]
    result = superglue("record", scores, [["Rome"], ["Kiel"]], rows=rows)
    assert result == {"f1": 0.5, "exact_match": 0.5}


def test_gender_parity_is_the_fraction_of_equal_pairs() -> None:
    labels, predictions = [0, 0, 1, 1, 0, 0], [0, 0, 1, 0, 1, 1]
    expected = {"accuracy": 3 / 6, "gender_parity": 2 / 3}
    assert superglue("axg", predictions, labels) == pytest.approx(expected)
    order = [5, 0, 3, 1, 4, 2]
    shuffled = [[values[i] for i in order] for values in (predictions, labels)]
    assert superglue("axg", *shuffled, rows={"idx": order}) == pytest.approx(expected)


def test_gender_parity_needs_both_rows_of_each_pair() -> None:
    with pytest.raises(ArgumentError, match="predictions is 'pair 1 with 1'; it must be every row"):
        superglue("axg", [0, 0, 1], [0, 0, 1])


@pytest.mark.parametrize("values", [[], [0], [0, 1, 1]], ids=["none", "one", "three"])
def test_other_number_of_predictions_is_an_error(values: list[int]) -> None:
    with pytest.raises(ArgumentError, match="predictions is"):
        glue("sst2", values, [0, 1])
    with pytest.raises(ArgumentError, match="predictions is"):
        glue("stsb", values, [0, 1])
    with pytest.raises(ArgumentError, match="predictions is"):
        superglue("record", list(map(str, values)), [["0"], ["1"]])


def test_labels_of_a_test_split_are_refused() -> None:
    with pytest.raises(ArgumentError, match="labels, row 1 is -1") as caught:
        glue("mrpc", [0, 1], [0, -1])
    assert "validation split" in caught.value.hint


def results(benchmark: Any, value: float) -> dict[str, dict[str, float]]:
    return {task.name: dict.fromkeys(task.metrics, value) for task in benchmark}


def test_overall_score_of_glue_is_the_mean_of_nine_tasks() -> None:
    zero = results(GLUE, 0.0)
    half = {name: metrics for name, metrics in zero.items() if name != "mnli"}
    assert glue_score({**zero, "SST-2": {"accuracy": 0.9}}) == pytest.approx(0.9 / 9)
    mrpc = {"accuracy": 0.8, "f1": 0.6}
    assert glue_score({**zero, "mrpc": mrpc}) == pytest.approx(0.7 / 9)
    assert glue_score({**half, "MNLI-mm": {"accuracy": 0.8}}) == pytest.approx(0.4 / 9)
    only = {name: metrics for name, metrics in zero.items() if "matched" not in name}
    assert glue_score({**only, "mnli": {"accuracy": 0.8}}) == pytest.approx(0.8 / 9)
    assert glue_score({**zero, "ax": {"matthews_correlation": 1.0}}) == 0.0


def test_overall_score_of_superglue_is_the_mean_of_eight_tasks() -> None:
    zero = results(SUPERGLUE, 0.0)
    multirc = {"f1_a": 0.8, "exact_match": 0.4}
    assert superglue_score({**zero, "MultiRC": multirc}) == pytest.approx(0.6 / 8)
    assert superglue_score({**zero, "axg": {"accuracy": 1.0, "gender_parity": 1.0}}) == 0.0


def test_overall_score_names_what_is_missing() -> None:
    with pytest.raises(ArgumentError, match=r"results\['wnli'\] is {}; it must be a dict with acc"):
        glue_score({k: v for k, v in results(GLUE, 0.5).items() if k != "wnli"})
    with pytest.raises(ArgumentError, match=r"results\['mnli_mismatched'\]"):
        glue_score({k: v for k, v in results(GLUE, 0.5).items() if k != "mnli_mismatched"})
    with pytest.raises(ArgumentError, match=r"results\['cb'\] .* accuracy and f1"):
        superglue_score({**results(SUPERGLUE, 0.5), "cb": {"accuracy": 0.5}})
    with pytest.raises(UnknownNameError):
        glue_score({"boolq": {"accuracy": 0.5}})
