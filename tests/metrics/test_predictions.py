from typing import Any

import numpy as np
import pytest

from dshub.errors import ArgumentError
from dshub.metrics.predictions import answer_lists, class_numbers, numbers, texts
from dshub.metrics.tasks import GLUE, SUPERGLUE, find_task

MNLI, RTE, BOOLQ = find_task(GLUE, "mnli"), find_task(GLUE, "rte"), find_task(SUPERGLUE, "boolq")


@pytest.mark.parametrize(
    "values",
    [
        [2, 0, 1],
        (2, 0, 1),
        np.array([2, 0, 1], "uint8"),
        [2.0, 0.0, 1.0],
        [[2], [0], [1]],
        ["contradiction", "entailment", "Neutral"],
        np.array(["contradiction", "entailment", "neutral"]),
        np.array(["contradiction", 0, 1], object),
        [[-1.0, 0.5, 2.0], [3.0, 0.0, -1.0], [0.1, 0.8, 0.1]],
        np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    ],
    ids=[
        "list",
        "tuple",
        "array",
        "whole-floats",
        "column",
        "names",
        "array-of-names",
        "names-and-numbers",
        "scores",
        "one-hot",
    ],
)
def test_predictions_become_class_numbers(values: Any) -> None:
    found = class_numbers("predictions", values, MNLI)
    assert found.dtype == np.int64
    assert found.tolist() == [2, 0, 1]


def test_booleans_are_classes_of_yes_no_questions() -> None:
    assert class_numbers("predictions", [True, False], BOOLQ).tolist() == [1, 0]
    assert class_numbers("predictions", ["true", "False"], BOOLQ).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 3], r"predictions, row 1 is 3; it must be 0 \(entailment\), 1 \(neutral\), 2"),
        ([0.5, 1.0], "predictions, row 0 is 0.5"),
        ([0.0, float("nan")], "predictions, row 1 is nan"),
        (["entails"], "predictions, row 0 is 'entails'"),
        ([None, 1], "predictions, row 0 is None"),
        ([{"label": 1}], "predictions, row 0 is {"),
        ([[0.1, 0.9]], r"predictions is 'an array \(1, 2\) of float64'; .* scores \(rows, 3\)"),
        ([[0.1, float("nan"), 0.2]], "predictions, row 0 is nan; it must be a score"),
        ([], "predictions is"),
        (np.zeros((0, 3)), "predictions is"),
        (1, "predictions is"),
        (np.zeros((2, 3, 4)), "predictions is"),
        ([[1, 2, 0], [0]], "predictions is .* a list with one value for each row"),
        (np.array(["2026-01-01"], "datetime64[D]"), "predictions"),
    ],
    ids=[
        "out-of-range",
        "probability",
        "nan",
        "other-name",
        "none",
        "dict",
        "other-number-of-classes",
        "nan-score",
        "empty",
        "no-rows",
        "scalar",
        "three-dimensions",
        "ragged",
        "dates",
    ],
)
def test_other_predictions_are_errors(values: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        class_numbers("predictions", values, MNLI)


def test_scores_of_a_regression_can_be_a_column() -> None:
    assert numbers("predictions", np.array([[0.5], [4.5]], "float32")).tolist() == [0.5, 4.5]


@pytest.mark.parametrize(
    "values",
    [[1.0, float("inf")], [[0.1, 0.9]], ["3.5"], [], 2.0, [None]],
    ids=["infinite", "two-columns", "text", "empty", "scalar", "none"],
)
def test_other_values_are_no_scores(values: Any) -> None:
    with pytest.raises(ArgumentError, match="it must be a finite number"):
        numbers("predictions", values)


def test_texts_need_a_text_or_scores_of_the_entities() -> None:
    assert texts("predictions", ("a", np.str_("b"))) == ["a", "b"]
    rows = {"entities": [["Oslo", "Rome"]]}
    assert texts("predictions", [[1, 2]], rows) == ["Rome"]
    for values, columns in (
        ([1], None),
        ([[1, 2]], None),
        ([[1, 2, 3]], rows),
        (7, None),
        ([], None),
    ):
        with pytest.raises(ArgumentError, match="predictions"):
            texts("predictions", values, columns)


def test_answers_are_lists_of_texts() -> None:
    assert answer_lists("labels", [["a", "b"], "c"]) == [["a", "b"], ["c"]]
    with pytest.raises(ArgumentError, match=r"labels, row 1 is \[\]") as caught:
        answer_lists("labels", [["a"], []])
    assert "validation split" in caught.value.hint
    with pytest.raises(ArgumentError, match="labels, row 0"):
        answer_lists("labels", [[1]])


def test_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.tensor([[0.25, 0.75], [2.0, -1.0]], dtype=torch.bfloat16, requires_grad=True)
    assert class_numbers("predictions", scores, RTE).tolist() == [1, 0]
    assert class_numbers("predictions", torch.tensor([1, 0]), RTE).tolist() == [1, 0]
    assert class_numbers("predictions", [torch.tensor(1), torch.tensor(0)], RTE).tolist() == [1, 0]
    assert numbers("predictions", scores[:, :1].half()).tolist() == [0.25, 2.0]


def test_tensors_of_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")
    scores = tf.constant([[0.25, 0.75], [2.0, -1.0]], tf.bfloat16)
    assert class_numbers("predictions", scores, RTE).tolist() == [1, 0]
    assert class_numbers("predictions", tf.constant([1, 0]), RTE).tolist() == [1, 0]
    assert class_numbers("labels", tf.constant(["entailment"]), RTE).tolist() == [0]


def test_arrays_of_jax() -> None:
    jnp = pytest.importorskip("jax.numpy")
    scores = jnp.array([[0.25, 0.75], [2.0, -1.0]], jnp.bfloat16)
    assert class_numbers("predictions", scores, RTE).tolist() == [1, 0]
    assert class_numbers("predictions", jnp.array([1, 0]), RTE).tolist() == [1, 0]
