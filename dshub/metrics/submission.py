"""Files for the submission servers of GLUE and SuperGLUE.

GLUE takes a zip of TSV files with the header `index`, `prediction`; SuperGLUE takes a zip of JSON
Lines files. Names and values are those that jiant, the toolkit of the benchmarks' authors, and T5
write. The servers refuse a file with missing rows, and so do these functions.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dshub.cache.disk import disk_faults
from dshub.errors import ArgumentError
from dshub.metrics.predictions import class_numbers, numbers, texts
from dshub.metrics.rows import keys_of, numbers_of
from dshub.metrics.tasks import GLUE, SUPERGLUE, Task, find_task


def write_glue(task: str, predictions: Any, folder: str | Path, *, rows: Any = None) -> Path:
    """Write the submission file of a task of GLUE, such as `MRPC.tsv`, and return its path.

    The file has the lines `index` and `prediction`, in the order of the test split. The prediction
    is the class name for MNLI, QNLI, RTE and AX, the class number for the others, and for STS-B a
    score from 0 to 5 with three digits; lower and higher scores become 0 and 5.

    Args:
        task: name of the task in any spelling. MNLI has two files, `mnli_matched` and
            `mnli_mismatched`.
        predictions: as in `glue`, one for each row of the test split.
        folder: folder of the file; it is created if necessary.
        rows: the predicted rows, as a dataset or a dict of columns, if their order is not that of
            the test split. Its column `idx` numbers the lines.

    Raises:
        UnknownNameError: GLUE has no such task.
        ArgumentError: a prediction is not valid, or rows of the test split are missing or occur
            twice.
        StoreError: the file cannot be written.
    """
    found = find_task(GLUE, task)
    if not found.file:
        expected = "mnli_matched or mnli_mismatched, which have separate files"
        raise ArgumentError(name="task", value=task, expected=expected)
    if found.classes:
        values = [str(value) for value in _written(found, predictions)]
    else:
        values = [f"{value:.3f}" for value in numbers("predictions", predictions).clip(0, 5)]
    _check_count(found, "glue", values)
    index = numbers_of(rows, "idx", len(values))
    _check_unique(index)
    if min(index) != 0 or max(index) != found.rows - 1:
        span = f"from {min(index)} to {max(index)}"
        raise ArgumentError(name="rows['idx']", value=span, expected=f"0 to {found.rows - 1}")
    lines = [f"{number}\t{value}" for number, value in sorted(zip(index, values, strict=True))]
    return _write(Path(folder) / found.file, ["index\tprediction", *lines])


def write_superglue(task: str, predictions: Any, folder: str | Path, *, rows: Any = None) -> Path:
    """Write the submission file of a task of SuperGLUE, such as `BoolQ.jsonl`, and return its path.

    A line is an object with `idx` and `label`, in the order of the predictions. For MultiRC, a line
    is a paragraph with its questions and their answers.

    Args:
        task: name of the task in any spelling.
        predictions: as in `superglue`, one for each row of the test split.
        folder: folder of the file; it is created if necessary.
        rows: the predicted rows, as a dataset or a dict of columns. `multirc` needs the columns
            `idx_paragraph`, `idx_question` and `idx_answer`, and `record` needs `idx_query`. For
            the other tasks, the column `idx` numbers the lines if the rows were reordered.

    Raises:
        UnknownNameError: SuperGLUE has no such task.
        ArgumentError: a prediction is not valid, rows of the test split are missing or occur twice,
            or `rows` is missing.
        StoreError: the file cannot be written.
    """
    found = find_task(SUPERGLUE, task)
    record = found.name == "record"
    values = texts("predictions", predictions, rows) if record else _written(found, predictions)
    _check_count(found, "superglue", values)
    if found.name == "multirc":
        objects = _paragraphs(
            keys_of(rows, ("paragraph", "question", "answer"), len(values)), values
        )
    else:
        index = _queries(rows, len(values)) if record else numbers_of(rows, "idx", len(values))
        _check_unique(index)
        objects = [{"idx": i, "label": value} for i, value in zip(index, values, strict=True)]
    return _write(Path(folder) / found.file, map(json.dumps, objects))


def _written(task: Task, predictions: Any) -> list[Any]:
    """Return the value of each row in the file."""
    return [task.written[i] for i in class_numbers("predictions", predictions, task).tolist()]


def _queries(rows: Any, count: int) -> list[int]:
    return [query for (query,) in keys_of(rows, ("query",), count)]


def _paragraphs(keys: Sequence[tuple[int, ...]], labels: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the nested objects of MultiRC, in the order of their first answers."""
    _check_unique(keys)
    nested: dict[int, dict[int, list[dict[str, Any]]]] = {}
    for (paragraph, question, answer), label in zip(keys, labels, strict=True):
        answers = nested.setdefault(paragraph, {}).setdefault(question, [])
        answers.append({"idx": answer, "label": label})
    return [
        {
            "idx": paragraph,
            "passage": {
                "questions": [
                    {"idx": question, "answers": answers} for question, answers in questions.items()
                ]
            },
        }
        for paragraph, questions in nested.items()
    ]


def _check_count(task: Task, benchmark: str, values: Sequence[Any]) -> None:
    if len(values) != task.rows:
        raise ArgumentError(
            name="predictions",
            value=f"{len(values):,} rows",
            expected=f"{task.rows:,} rows, one for each row of the test split",
            hint=f"predict every row of {benchmark}/{task.name}; synthetic data can have fewer",
        )


def _check_unique(index: Sequence[Any]) -> None:
    number, count = Counter(index).most_common(1)[0]
    if count > 1:
        value = f"{number}, {count} times"
        raise ArgumentError(name="rows['idx']", value=value, expected="different in each row")


def _write(path: Path, lines: Any) -> Path:
    with disk_faults(path, "write", hint="check that the folder is writable"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
    return path
