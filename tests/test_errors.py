"""Compare the errors with the tree in the docstring of `dshub.errors`."""

import inspect
import pickle
import re
import traceback
from typing import Any

import pytest

from dshub import Dataset, errors
from dshub.errors import ChecksumError, DshubError, FetchError, TransportError

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
KINDS = [kind for kind in CLASSES if kind.__module__ == "dshub.errors"]
LINE = re.compile(r"^ {4}([│├└─ ]*)(\w+) {2,}(\d+) .*?(?:\(an? (\w+)\))?$", re.MULTILINE)

wrong_bytes = ChecksumError(source="url", expected="sha256:00", actual="sha256:11")
no_answer = TransportError(url="http://h/f", reason="503", transient=True, retry_after=2.5)
EXAMPLES: list[DshubError] = [
    DshubError("words", hint="try"),
    errors.SettingsError(name="DSHUB_JOBS", value="many", expected="a number"),
    errors.ArgumentError(name="shuffle", value="yes", expected="True or False"),
    errors.SplitError(expression="train[", reason="no end"),
    errors.UnknownNameError(kind="dataset", name="mnits", close=["mnist"]),
    errors.ManifestError(source="file.toml", faults=["line 1: wrong"]),
    no_answer,
    FetchError(dataset="mnist", attempts={"file": [no_answer]}),
    errors.OfflineError(dataset="mnist", files=["file"], looked_in=["/cache"]),
    errors.ManualStepError(dataset="mnist", files={"file": "ask"}),
    wrong_bytes,
    errors.UnsafeArchiveError(archive="a.zip", member="../x", reason="leads out"),
    errors.LockError(lock="dshub.lock", names=["mnist"], changes=["mnist is gone"]),
    errors.TermsError(terms={"mnist": "be kind"}),
    errors.StoreError(path="/cache", action="read", reason="denied"),
    errors.DiskFullError(path="/cache"),
    errors.Vanished(path="/cache/blobs-v1/9f"),
    errors.ReadError(file="file", reason="short"),
    errors.SchemaError(where="row 1", expected="1", got="2"),
    errors.StateError("another seed"),
    errors.FunctionError(method="map", function="f", where="row 1", reason="why", value="{}"),
    errors.MissingExtraError(package="torch", extra="torch"),
]


def documented_errors() -> dict[str, tuple[str | None, int, str | None]]:
    """Parse the docstring into parent, exit code and built-in base of each error."""
    result: dict[str, tuple[str | None, int, str | None]] = {}
    above: dict[int, str] = {}
    for indent, name, code, built_in in LINE.findall(errors.__doc__ or ""):
        depth = len(indent) // 4
        result[name] = above.get(depth - 1), int(code), built_in or None
        above[depth] = name
    return result


def test_docstring_lists_every_error() -> None:
    names = {kind.__name__ for kind in KINDS}
    assert names == set(documented_errors())
    assert names == {type(example).__name__ for example in EXAMPLES}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_matches_the_docstring(kind: type[DshubError]) -> None:
    parent, code, built_in = documented_errors()[kind.__name__]
    assert issubclass(kind, DshubError)
    if parent:
        assert kind.__bases__[0].__name__ == parent
    assert kind.exit_code == code
    others = {base.__name__ for base in kind.__mro__} & {"KeyError", "ImportError", "ValueError"}
    assert others == ({built_in} if built_in else set())
    assert kind.__doc__


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_traceback_ends_with_the_hint(error: DshubError) -> None:
    for result in (error, pickle.loads(pickle.dumps(error))):
        lines = "".join(traceback.format_exception(result)).splitlines()
        message = [line for line in lines if line.startswith("hint: ")]
        assert message == ([f"hint: {error.hint}"] if error.hint else [])


def test_wrong_bytes_from_one_source_decide_the_exit_code() -> None:
    only_silent = FetchError(dataset="d", attempts={"a": [no_answer]})
    one_wrong = FetchError(dataset="d", attempts={"a": [no_answer], "b": [no_answer, wrong_bytes]})
    assert (only_silent.exit_code, one_wrong.exit_code) == (4, 5)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error: DshubError) -> None:
    """A process pool hangs if it cannot unpickle the error of a worker."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.hint, again.exit_code) == (str(error), error.hint, error.exit_code)
    assert vars(again).keys() == vars(error).keys()


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_are_plain_sentences_with_a_next_step(error: DshubError) -> None:
    assert str(error) == error.args[0]
    assert error.hint or "; it must be " in str(error)


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ({"absent": True}, "look for a newer version"),
        ({"unreachable": True, "transient": True}, "check the network connection"),
        ({"transient": True}, "try again later"),
        ({}, "set DSHUB_MIRROR"),
    ],
    ids=["absent", "unreachable", "transient", "other"],
)
def test_hint_of_a_failed_download_fits_its_cause(flags: dict[str, bool], hint: str) -> None:
    failed = TransportError(url="http://h/f", reason="it failed", **flags).noting("2 tries")
    assert str(failed) == "http://h/f: it failed, 2 tries"
    fetch = FetchError(dataset="d", attempts={"a": [failed, failed]})
    assert hint in fetch.hint.partition(", ")[0]
    assert fetch.hint.count("set DSHUB_MIRROR") == fetch.hint.count("`dshub import d FOLDER`") == 1


def test_hint_of_a_file_fits_the_action() -> None:
    read, write = (
        errors.StoreError(path="/f", action=action, reason="Permission denied")
        for action in ("read", "write")
    )
    assert "DSHUB_CACHE" in write.hint
    assert "DSHUB_CACHE" not in read.hint


def test_notebooks_show_message_and_hint_first_and_only_code_of_the_caller() -> None:
    ds = Dataset.from_arrays({"n": [1, 2]})

    def failing(row: Any) -> Any:
        return {"m": row["n"].missing}

    with pytest.raises(errors.FunctionError) as info:
        ds.map(failing)
    lines = info.value._render_traceback_()
    assert lines[0].startswith("FunctionError: map: ")
    assert "hint: call the function with this value to reproduce the error" in lines
    assert "    ds.map(failing)" in lines
    assert '    return {"m": row["n"].missing}' in lines
    assert not any("dshub/datasets" in line for line in lines)
    assert len(lines) <= 15


def test_notebooks_show_at_most_15_lines_of_a_long_error() -> None:
    details = [f"line {number}" for number in range(100)]
    lines = DshubError("many faults", details=details, hint="correct them")._render_traceback_()
    assert lines[0] == "DshubError: many faults"
    assert "hint: correct them" in lines
    assert len(lines) <= 15
