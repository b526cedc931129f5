import re
import tomllib
from pathlib import Path

import pytest

from dshub.errors import UnknownNameError
from dshub.metrics.tasks import GLUE, SUPERGLUE, Task, find_task

REGISTRY = Path(__file__).parents[2] / "registry"
ALL = [("glue", task) for task in GLUE if task.file] + [("superglue", task) for task in SUPERGLUE]


@pytest.mark.parametrize(("benchmark", "task"), ALL, ids=[f"{b}-{t.name}" for b, t in ALL])
def test_classes_and_rows_are_those_of_the_registry(benchmark: str, task: Task) -> None:
    name, _, half = task.name.partition("_")
    manifest = tomllib.loads((REGISTRY / benchmark / name / "1.0.0.toml").read_text("utf-8"))
    label = manifest["features"].get("label", {})
    if task.name != "ax":  # its labels are not public
        assert list(task.classes) == label.get("names", [])
    assert task.rows == manifest["splits"][f"test_{half}" if half else "test"]["rows"]
    if task.classes:
        assert len(task.written) == len(task.classes)


def test_every_task_of_the_registry_has_metrics() -> None:
    assert {path.name for path in (REGISTRY / "glue").iterdir()} <= {task.name for task in GLUE}
    assert {path.name for path in (REGISTRY / "superglue").iterdir()} == {
        task.name for task in SUPERGLUE
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sst2", "sst2"),
        ("SST-2", "sst2"),
        ("STS_B", "stsb"),
        ("glue/mrpc", "mrpc"),
        ("nyu-mll/glue/CoLA", "cola"),
        ("MNLI-m", "mnli_matched"),
        ("MNLI-mm", "mnli_mismatched"),
        ("mnli_matched", "mnli_matched"),
        ("MNLI", "mnli"),
    ],
)
def test_names_of_glue_work_in_any_spelling(name: str, expected: str) -> None:
    assert find_task(GLUE, name).name == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AX-b", "axb"),
        ("super_glue/WSC.fixed", "wsc"),
        ("ReCoRD", "record"),
        ("SuperGLUE/CB", "cb"),
    ],
)
def test_names_of_superglue_work_in_any_spelling(name: str, expected: str) -> None:
    assert find_task(SUPERGLUE, name).name == expected


@pytest.mark.parametrize(
    ("benchmark", "name", "message"),
    [
        (GLUE, "mprc", "there is no task of glue named 'mprc'"),
        (GLUE, "superglue/rte", "there is no task of glue named 'superglue/rte'"),
        (SUPERGLUE, "glue/rte", "there is no task of superglue named 'glue/rte'"),
        (SUPERGLUE, "", "there is no task of superglue named ''"),
    ],
    ids=["typo", "task-of-superglue", "task-of-glue", "empty"],
)
def test_unknown_task_lists_the_choices(
    benchmark: tuple[Task, ...], name: str, message: str
) -> None:
    with pytest.raises(UnknownNameError, match=re.escape(message)) as caught:
        find_task(benchmark, name)
    assert "rte" in caught.value.hint
