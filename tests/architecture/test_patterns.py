"""Check that the package's regular expressions take linear time on hostile text."""

import ast
import fnmatch
import importlib
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import dshub

PACKAGE = Path(dshub.__file__).parent
SIZES = (24, 100, 1_000, 10_000, 100_000)  # ascending, so that a slow pattern fails early
SECONDS = 0.1
EXAMPLES = max(1, (settings.default or settings()).max_examples // 10)
METHODS = {"search", "match", "fullmatch", "finditer", "findall", "split", "sub", "subn"}
BREAKERS = ("", "\0", "\r", "\n", '"', "}", "]", ")", "-", "x")


class Use(NamedTuple):
    """A pattern and one of its methods that the package calls."""

    place: str
    pattern: re.Pattern
    method: str


def calls_of_re(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.Call]]:
    """Yield calls to functions of `re`, each with the name of the function."""
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name)):
                yield name, node


def methods(nodes: Iterable[ast.AST]) -> set[tuple[str, str]]:
    """Return pairs of a variable and the pattern method called on it."""
    return {
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute)
        and node.attr in METHODS
        and isinstance(node.value, ast.Name)
    }


def uses() -> Iterator[Use]:
    """Yield each pattern of the package with each method called on it.

    Patterns are module-level constants or arguments of the call that uses them.
    """
    paths = sorted(PACKAGE.rglob("*.py"))
    nodes = {path: list(ast.walk(ast.parse(path.read_bytes()))) for path in paths}
    called = {path: methods(nodes[path]) for path in paths}
    everywhere = set().union(*called.values())
    for path in paths:
        calls = list(calls_of_re(nodes[path]))
        if not calls:
            continue
        place = path.relative_to(PACKAGE).as_posix()
        names = vars(importlib.import_module(module_name(path)))
        for name, value in names.items():
            if isinstance(value, re.Pattern):
                searched = called[path] if name.startswith("_") else everywhere
                for method in sorted(method for variable, method in searched if variable == name):
                    yield Use(f"{place}:{name}", value, method)
        for function, call in calls:
            if function in METHODS:
                assert {keyword.arg for keyword in call.keywords} <= {"maxsplit"}, place
                code: Any = compile(ast.Expression(call.args[0]), place, "eval")
                yield Use(f"{place}:{call.lineno}", re.compile(eval(code, names)), function)


def module_name(path: Path) -> str:
    """Return the import name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def seconds(use: Use, text: str) -> float:
    """Return the CPU seconds that a pattern takes on a string."""
    subject = text.encode("latin-1", "replace") if isinstance(use.pattern.pattern, bytes) else text
    call = getattr(use.pattern, use.method)
    began = time.process_time()
    if use.method in {"sub", "subn"}:
        call(subject[:0], subject)
    elif use.method == "finditer":
        any(match is None for match in call(subject))
    else:
        call(subject)
    return time.process_time() - began


@pytest.mark.hypothesis
@pytest.mark.parametrize("use", list(uses()), ids=lambda use: f"{use.place}-{use.method}")
def test_patterns_take_linear_time(use: Use) -> None:
    """Repeat part of a matching text many times, then break the match at its end."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check_repeated_text(data: st.DataObject) -> None:
        fitting = data.draw(st.from_regex(use.pattern, fullmatch=use.method == "fullmatch"))
        text = fitting.decode("latin-1") if isinstance(fitting, bytes) else fitting
        begin = data.draw(st.integers(0, len(text)))
        unit = text[begin : begin + data.draw(st.integers(1, 8))] or " "
        breaker = data.draw(st.sampled_from(BREAKERS))
        for size in SIZES:
            hostile = text[:begin] + unit * (size // len(unit)) + breaker
            assert seconds(use, hostile) < SECONDS, (text[:begin], unit, breaker)

    check_repeated_text()


def test_patterns_are_compiled_at_module_level() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        top = [node.value for node in tree.body if isinstance(node, ast.Assign)]
        for function, call in calls_of_re(ast.walk(tree)):
            if function == "compile" and call not in top and path.name != "settings.py":
                assert ast.unparse(call.args[0]).startswith("fnmatch.translate("), path


@pytest.mark.parametrize("pattern", ["*a" * 1000, "*" * 1000 + "b", "a*[!b]?" * 500 + "c"])
def test_shell_patterns_take_linear_time(pattern: str) -> None:
    use = Use(pattern, re.compile(fnmatch.translate(pattern)), "match")
    assert all(seconds(use, "a" * size) < SECONDS for size in SIZES)
