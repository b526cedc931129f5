"""The tasks of GLUE and SuperGLUE: classes, official metrics and submission files.

Classes have the order of the registry's datasets. File names and values come from the submission
formatters of jiant, the toolkit of the benchmarks' authors, and of T5. The numbers of rows are
those of the test splits.
"""

from dataclasses import dataclass

from dshub.catalog.names import plain, spelled
from dshub.errors import UnknownNameError

_ENTAILMENT = ("entailment", "not_entailment")
_NLI = ("entailment", "neutral", "contradiction")
_TRUTH = ("False", "True")


@dataclass(frozen=True)
class Task:
    """A task of a benchmark.

    Attributes:
        name: name of the task, as in the registry, without the benchmark.
        metrics: official metrics; their mean is the score of the task.
        file: name of the submission file, or empty if there are several (`mnli`).
        rows: number of rows of the test split.
        classes: names of the classes in order; empty if the task has no classes.
        written: value of each class in the submission file.
        scored: False for diagnostics, which the overall score leaves out.
    """

    name: str
    metrics: tuple[str, ...]
    file: str
    rows: int
    classes: tuple[str, ...] = ()
    written: tuple[str, ...] | tuple[int, ...] = (0, 1)
    scored: bool = True


_ACCURACY, _MATTHEWS = ("accuracy",), ("matthews_correlation",)
_ACCURACY_F1 = ("accuracy", "f1")

GLUE = (
    Task("cola", _MATTHEWS, "CoLA.tsv", 1063, ("unacceptable", "acceptable")),
    Task("sst2", _ACCURACY, "SST-2.tsv", 1821, ("negative", "positive")),
    Task("mrpc", _ACCURACY_F1, "MRPC.tsv", 1725, ("not_equivalent", "equivalent")),
    Task("qqp", _ACCURACY_F1, "QQP.tsv", 390_965, ("not_duplicate", "duplicate")),
    Task("stsb", ("pearson", "spearmanr"), "STS-B.tsv", 1379),
    Task("mnli", _ACCURACY, "", 0, _NLI, _NLI),
    Task("mnli_matched", _ACCURACY, "MNLI-m.tsv", 9796, _NLI, _NLI),
    Task("mnli_mismatched", _ACCURACY, "MNLI-mm.tsv", 9847, _NLI, _NLI),
    Task("qnli", _ACCURACY, "QNLI.tsv", 5463, _ENTAILMENT, _ENTAILMENT),
    Task("rte", _ACCURACY, "RTE.tsv", 3000, _ENTAILMENT, _ENTAILMENT),
    Task("wnli", _ACCURACY, "WNLI.tsv", 146, ("not_entailment", "entailment")),
    Task("ax", _MATTHEWS, "AX.tsv", 1104, _NLI, _NLI, scored=False),
)

_CB = ("entailment", "contradiction", "neutral")

SUPERGLUE = (
    Task("boolq", _ACCURACY, "BoolQ.jsonl", 3245, _TRUTH, ("false", "true")),
    Task("cb", _ACCURACY_F1, "CB.jsonl", 250, _CB, _CB),
    Task("copa", _ACCURACY, "COPA.jsonl", 500, ("choice1", "choice2")),
    Task("multirc", ("f1_a", "exact_match"), "MultiRC.jsonl", 9693, _TRUTH),
    Task("record", ("f1", "exact_match"), "ReCoRD.jsonl", 10_000),
    Task("rte", _ACCURACY, "RTE.jsonl", 3000, _ENTAILMENT, _ENTAILMENT),
    Task("wic", _ACCURACY, "WiC.jsonl", 1400, _TRUTH, ("false", "true")),
    Task("wsc", _ACCURACY, "WSC.jsonl", 146, _TRUTH, _TRUTH),
    Task("axb", _MATTHEWS, "AX-b.jsonl", 1104, _ENTAILMENT, _ENTAILMENT, scored=False),
    Task(
        "axg",
        ("accuracy", "gender_parity"),
        "AX-g.jsonl",
        356,
        _ENTAILMENT,
        _ENTAILMENT,
        scored=False,
    ),
)

_OTHER_NAMES = {"mnlim": "mnli_matched", "mnlimm": "mnli_mismatched", "wscfixed": "wsc"}


def find_task(benchmark: tuple[Task, ...], name: str) -> Task:
    """Return a task by its name in any spelling, with or without the benchmark.

    Args:
        benchmark: `GLUE` or `SUPERGLUE`.
        name: such as `sst2`, `SST-2`, `glue/sst2`, `MNLI-mm` or `super_glue/wsc.fixed`.

    Raises:
        UnknownNameError: the benchmark has no such task.
    """
    title = "glue" if benchmark is GLUE else "superglue"
    tasks = {task.name: task for task in benchmark}
    family, _, member = plain(str(name)).rpartition("/")
    matches = spelled(_OTHER_NAMES.get(member, member), tasks)
    if matches and family.rpartition("/")[2] in {"", title}:
        return tasks[matches[0]]
    raise UnknownNameError(kind=f"task of {title}", name=name, known=tuple(tasks))
