"""The limits that keep the code readable; raise one for everybody, here, or none."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dshub

PACKAGE, TESTS = Path(dshub.__file__).parent, Path(__file__).parents[1]
MODULE_LINES = 300  # lines of code: no blanks, comments or docstrings
FUNCTION_LINES = 40
PARAMETERS = 6
NESTING = 3
PUBLIC_METHODS = 25
PUBLIC_NAMES = 15
TOP_LEVEL_ENTRIES = 24
LATE_IMPORTS = 40  # of dshub, inside functions: only ever lower this number, down to 40

# a session that holds the options of a fetch
MANY_PARAMETERS = {"Fetcher.__init__"}
MANY_METHODS = {"Dataset"}
TESTED_ALONE = 40  # lines of code from which a module has a file of tests
PACKAGES_OF_ONE = ("download/transports", "formats")  # a plug-in that is a package has one file
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "base", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[str, ast.Module]:
    """Each module by its path in the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_bytes()) for path in paths}


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


def code_of(name: str) -> set[int]:
    """Numbers of the lines of a module that hold code."""
    return code_lines((PACKAGE / name).read_text(encoding="utf-8"), trees()[name])


def is_late_import(node: ast.AST) -> bool:
    """True if the statement imports something of dshub."""
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or (node.module or "").split(".")[0] == "dshub"
    names = node.names if isinstance(node, ast.Import) else []
    return any(alias.name.split(".")[0] == "dshub" for alias in names)


def faults_of_functions(module: str, lines: set[int]) -> Iterator[str]:
    """Each limit that a function of the module exceeds."""
    for name, function in functions(trees()[module]):
        place = f"{module}:{function.lineno} {name}"
        body = lines & set(range(function.lineno, (function.end_lineno or 0) + 1))
        if len(body) > FUNCTION_LINES:
            yield f"{place}: {len(body)} lines of code"
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        named = [argument for argument in arguments if argument.arg not in {"self", "cls"}]
        is_command = module.startswith("cli/") and function.decorator_list  # each an option
        if len(named) > PARAMETERS and name not in MANY_PARAMETERS and not is_command:
            yield f"{place}: {len(named)} parameters"
        if nesting(function) > NESTING:
            yield f"{place}: blocks nest {nesting(function)} deep"


def faults_of_classes(module: str) -> Iterator[str]:
    """Each class of the module with too many public methods."""
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.ClassDef) and node.name not in MANY_METHODS:
            public = [f.name for f in node.body if isinstance(f, Function) and f.name[0] != "_"]
            if len(public) > PUBLIC_METHODS:
                yield f"{module}:{node.lineno} {node.name}: {len(public)} public methods"


def faults_of(module: str) -> Iterator[str]:
    """Each limit that a module exceeds."""
    lines = code_of(module)
    if Path(module).stem in FORBIDDEN_NAMES:
        yield f"{module}: the name says nothing"
    if len(lines) > MODULE_LINES:
        yield f"{module}: {len(lines)} lines of code"
    if not ast.get_docstring(trees()[module]):
        yield f"{module}: no docstring"
    yield from faults_of_functions(module, lines)
    yield from faults_of_classes(module)


def test_modules_classes_and_functions_stay_small() -> None:
    """Lines, parameters, nesting and methods are within the limits; modules say what they are."""
    assert [fault for module in trees() for fault in faults_of(module)] == []


def test_few_public_names() -> None:
    """What a user has to learn fits on a small screen."""
    assert len(dshub.__all__) <= PUBLIC_NAMES


def test_few_top_level_entries() -> None:
    names = {Path(module).parts[0] for module in trees()} - {"__init__.py", "__main__.py"}
    assert len(names) <= TOP_LEVEL_ENTRIES


def test_imports_inside_functions_only_become_fewer() -> None:
    late = {
        (module, getattr(node, "lineno", 0))
        for module, tree in trees().items()
        for _, function in functions(tree)
        for node in ast.walk(function)
        if is_late_import(node)
    }
    assert len(late) <= LATE_IMPORTS


def has_tests(module: str) -> bool:
    """True if a file of tests has the module's name, at the same place below `tests`."""
    path = Path(module.removesuffix("/__init__.py")).with_suffix("")
    for folder in PACKAGES_OF_ONE:
        if path.is_relative_to(folder):
            path = Path(*path.parts[: len(Path(folder).parts) + 1])
    return (TESTS / path.parent / f"test_{path.name.strip('_')}.py").exists()


def test_every_module_has_a_test_file_of_its_name() -> None:
    without = [
        module
        for module in trees()
        if len(code_of(module)) > TESTED_ALONE
        and not module.startswith(("testing/", "__init__"))
        and not has_tests(module)
    ]
    assert without == []
