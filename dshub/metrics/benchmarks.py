"""Metrics of the tasks of GLUE and SuperGLUE, and their overall scores.

The metrics are those of the leaderboards, as fractions, under the names that the package `evaluate`
of Hugging Face uses. Matched and mismatched MNLI are evaluated separately, by the same metric.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dshub.errors import ArgumentError
from dshub.metrics import scores
from dshub.metrics.predictions import answer_lists, class_numbers, numbers, texts
from dshub.metrics.rows import check_rows, keys_of, numbers_of
from dshub.metrics.tasks import GLUE, SUPERGLUE, Task, find_task


def glue(task: str, predictions: Any, labels: Any) -> dict[str, float]:
    """Compute the official metrics of a task of GLUE.

    Args:
        task: name of the task in any spelling: `sst2`, `SST-2`, `glue/sst2`. MNLI is `mnli`,
            `mnli_matched` or `mnli_mismatched`, and `ax` are the diagnostics.
        predictions: class number or class name of each row, or scores (rows, classes); the class
            with the highest score counts. For `stsb`, a number for each row. A list, an array or a
            tensor.
        labels: label of each row, such as `ds["label"]` of the validation split.

    Returns:
        `matthews_correlation` for cola and ax, `accuracy` and `f1` for mrpc and qqp, `pearson` and
        `spearmanr` for stsb, `accuracy` for the others.

    Raises:
        UnknownNameError: GLUE has no such task.
        ArgumentError: a prediction or a label is not valid, or their numbers differ.
        MissingExtraError: scikit-learn or SciPy is not installed.
    """
    found = find_task(GLUE, task)
    if not found.classes:
        scored = numbers("predictions", predictions)
        expected = numbers("labels", labels)
        check_rows("predictions", scored, len(expected), "labels")
        return scores.correlations(scored, expected)
    return _classified(found, *_classes(found, predictions, labels))


def superglue(task: str, predictions: Any, labels: Any, *, rows: Any = None) -> dict[str, float]:
    """Compute the official metrics of a task of SuperGLUE.

    Args:
        task: name of the task in any spelling: `boolq`, `BoolQ`, `superglue/boolq`. The diagnostics
            are `axb` and `axg`.
        predictions: class number or class name of each row, or scores (rows, classes); the class
            with the highest score counts. For `record`, the text of each row's answer, or the
            scores of the row's `entities`. A list, an array or a tensor.
        labels: label of each row, such as `ds["label"]`; for `record`, `ds["answers"]`.
        rows: the predicted rows, as a dataset or a dict of columns. `multirc` needs it, for the
            questions that answers belong to (`idx_paragraph`, `idx_question`). So does `record`
            for scores (`entities`). In `axg`, a row and the next one form a pair; if the rows were
            reordered, `idx` is needed, too.

    Returns:
        `accuracy` and `f1` for cb, `f1_a` and `exact_match` for multirc, `f1` and `exact_match` for
        record, `matthews_correlation` for axb, `accuracy` and `gender_parity` for axg, `accuracy`
        for the others.

    Raises:
        UnknownNameError: SuperGLUE has no such task.
        ArgumentError: a prediction or a label is not valid, their numbers differ, or `rows` is
            missing.
        MissingExtraError: scikit-learn is not installed.
    """
    found = find_task(SUPERGLUE, task)
    if found.name == "record":
        return _record(predictions, labels, rows)
    predicted, expected = _classes(found, predictions, labels)
    if found.name == "multirc":
        questions = keys_of(rows, ("paragraph", "question"), len(expected))
        match = scores.grouped_exact_match(predicted == expected, questions)
        return {"f1_a": scores.f1(predicted, expected), "exact_match": match}
    if found.name == "axg":
        pairs = [number // 2 for number in numbers_of(rows, "idx", len(expected))]
        parity = scores.gender_parity(predicted, pairs)
        return {"accuracy": scores.accuracy(predicted, expected), "gender_parity": parity}
    return _classified(found, predicted, expected)


def glue_score(results: Mapping[str, Mapping[str, float]]) -> float:
    """Return the overall score of GLUE: the mean over its nine tasks.

    A task with two metrics counts with their mean, and so does MNLI with its matched and mismatched
    rows. The diagnostics do not count.

    Args:
        results: metrics of each task by its name, as `glue` returns them.

    Raises:
        ArgumentError: a task or one of its metrics is missing.
        UnknownNameError: GLUE has no such task.
    """
    found = {find_task(GLUE, name).name: metrics for name, metrics in results.items()}
    halves = {"mnli_matched", "mnli_mismatched"}
    names = halves if halves & set(found) else {"mnli"}
    tasks = [task for task in GLUE if task.scored and task.name not in halves | {"mnli"}]
    mnli = [task for task in GLUE if task.name in names]
    values = [_score(task, found) for task in tasks]
    values.append(float(np.mean([_score(task, found) for task in mnli])))
    return float(np.mean(values))


def superglue_score(results: Mapping[str, Mapping[str, float]]) -> float:
    """Return the overall score of SuperGLUE: the mean over its eight tasks.

    A task with two metrics counts with their mean. The diagnostics do not count.

    Args:
        results: metrics of each task by its name, as `superglue` returns them.

    Raises:
        ArgumentError: a task or one of its metrics is missing.
        UnknownNameError: SuperGLUE has no such task.
    """
    found = {find_task(SUPERGLUE, name).name: metrics for name, metrics in results.items()}
    return float(np.mean([_score(task, found) for task in SUPERGLUE if task.scored]))


def _score(task: Task, results: Mapping[str, Mapping[str, float]]) -> float:
    metrics = results.get(task.name, {})
    missing = [name for name in task.metrics if name not in metrics]
    if missing:
        name, expected = f"results[{task.name!r}]", f"a dict with {' and '.join(task.metrics)}"
        raise ArgumentError(name=name, value=metrics, expected=expected)
    return float(np.mean([metrics[name] for name in task.metrics]))


def _classes(task: Task, predictions: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    predicted = class_numbers("predictions", predictions, task)
    expected = class_numbers("labels", labels, task)
    check_rows("predictions", predicted, len(expected), "labels")
    return predicted, expected


def _classified(task: Task, predicted: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Return the official metrics of a task with one label for each row."""
    average = "binary" if len(task.classes) == 2 else "macro"
    compute = {
        "accuracy": scores.accuracy,
        "f1": lambda *both: scores.f1(*both, average=average),
        "matthews_correlation": scores.matthews,
    }
    return {name: compute[name](predicted, expected) for name in task.metrics}


def _record(predictions: Any, labels: Any, rows: Any) -> dict[str, float]:
    predicted, answers = texts("predictions", predictions, rows), answer_lists("labels", labels)
    check_rows("predictions", predicted, len(answers), "labels")
    return {
        "f1": scores.best_match(scores.text_f1, predicted, answers),
        "exact_match": scores.best_match(scores.same_text, predicted, answers),
    }
