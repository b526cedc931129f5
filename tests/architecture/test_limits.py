"""The limits that keep the code readable; whoever needs more raises one for all, here."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import dshub

PACKAGE = Path(dshub.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

MODULE_LINES = 300  # lines of code: no blanks, comments or docstrings
FUNCTION_LINES = 40
PARAMETERS = 6
NESTING = 3
PUBLIC_NAMES = 15

# a session that holds the options of a fetch
MANY_PARAMETERS = {"Fetcher.__init__"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "base", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def code_lines(text: str, tree: ast.AST) -> set[int]:
    """Numbers of the lines that hold code."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped and token.string:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, Function]]:
    """Every function with its class's name before it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield f"{owner}{node.name}", node
        inner = f"{node.name}." if isinstance(node, ast.ClassDef) else owner
        yield from functions(node, inner)


def nesting(node: ast.AST, depth: int = 0) -> int:
    """How deep blocks lie within one another; a nested function counts anew."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef | ast.Lambda):
            continue
        blocks = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deepest = max(deepest, nesting(child, depth + (isinstance(child, blocks) and not chained)))
    return deepest


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    """Lines, parameters and nesting are within the limits, and the file has a telling name."""
    assert path.stem not in FORBIDDEN_NAMES
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = code_lines(text, tree)
    assert len(lines) <= MODULE_LINES
    for name, function in functions(tree):
        body = lines & set(range(function.lineno, (function.end_lineno or 0) + 1))
        assert len(body) <= FUNCTION_LINES, name
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        named = [argument for argument in arguments if argument.arg not in {"self", "cls"}]
        is_command = "cli" in path.parts and function.decorator_list  # a parameter is an option
        if name not in MANY_PARAMETERS and not is_command:
            assert len(named) <= PARAMETERS, name
        assert nesting(function) <= NESTING, name


def test_few_public_names() -> None:
    """What a user has to learn fits on a small screen."""
    assert len(dshub.__all__) <= PUBLIC_NAMES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    """A module begins with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
