"""Check limits on the size of modules, functions and classes."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dshub

PACKAGE, TESTS = Path(dshub.__file__).parent, Path(__file__).parents[1]
MODULE_LINES = 300  # not counting blank lines, comments and docstrings
FUNCTION_LINES = 40
PARAMETERS = 6
NESTING = 3
PUBLIC_METHODS = 25
PUBLIC_NAMES = 15
TOP_LEVEL_ENTRIES = 26
LATE_IMPORTS = 40  # imports of dshub inside functions; never raise this number

# exceptions to the limits
MANY_PARAMETERS = {"Fetcher.__init__"}
MANY_METHODS = {"Dataset", "DatasetNames"}
UNTESTED_LINES = 40  # modules with more lines of code need a test file
PLUGIN_PACKAGES = ("download/transports", "formats")  # each plug-in has one test file
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "base", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of each module by its path in the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_bytes()) for path in paths}


def code_lines(text: str, tree: ast.AST) -> set[int]:
    """Return the line numbers that contain code."""
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
    """Yield functions and methods; a method's name starts with its class's name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield f"{owner}{node.name}", node
        inner = f"{node.name}." if isinstance(node, ast.ClassDef) else owner
        yield from functions(node, inner)


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Return the deepest nesting of blocks, not counting nested functions and classes."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef | ast.Lambda):
            continue
        blocks = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deepest = max(deepest, nesting(child, depth + (isinstance(child, blocks) and not chained)))
    return deepest


def lines_of_module(name: str) -> set[int]:
    """Return the line numbers of a module that contain code."""
    return code_lines((PACKAGE / name).read_text(encoding="utf-8"), trees()[name])


def is_late_import(node: ast.AST) -> bool:
    """Return True if the statement imports from dshub."""
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or (node.module or "").split(".")[0] == "dshub"
    names = node.names if isinstance(node, ast.Import) else []
    return any(alias.name.split(".")[0] == "dshub" for alias in names)


def violations_of_functions(module: str, lines: set[int]) -> Iterator[str]:
    """Yield each limit that a function of the module exceeds."""
    for name, function in functions(trees()[module]):
        place = f"{module}:{function.lineno} {name}"
        body = lines & set(range(function.lineno, (function.end_lineno or 0) + 1))
        if len(body) > FUNCTION_LINES:
            yield f"{place}: {len(body)} lines of code"
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        named = [argument for argument in arguments if argument.arg not in {"self", "cls"}]
        is_command = (
            module.startswith("cli/") and function.decorator_list
        )  # each parameter is an option
        is_foreign = module.startswith("compat/")  # signatures of other libraries
        is_exempt = is_command or is_foreign or name in MANY_PARAMETERS
        if len(named) > PARAMETERS and not is_exempt:
            yield f"{place}: {len(named)} parameters"
        if nesting(function) > NESTING:
            yield f"{place}: blocks nest {nesting(function)} deep"


def violations_of_classes(module: str) -> Iterator[str]:
    """Yield each class of the module with too many public methods."""
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.ClassDef) and node.name not in MANY_METHODS:
            public = {f.name for f in node.body if isinstance(f, Function) and f.name[0] != "_"}
            if len(public) > PUBLIC_METHODS:
                yield f"{module}:{node.lineno} {node.name}: {len(public)} public methods"


def violations_of(module: str) -> Iterator[str]:
    """Yield each limit that the module exceeds."""
    lines = lines_of_module(module)
    if Path(module).stem in FORBIDDEN_NAMES:
        yield f"{module}: the name says nothing"
    if len(lines) > MODULE_LINES:
        yield f"{module}: {len(lines)} lines of code"
    if not ast.get_docstring(trees()[module]):
        yield f"{module}: no docstring"
    yield from violations_of_functions(module, lines)
    yield from violations_of_classes(module)


def test_modules_classes_and_functions_stay_small() -> None:
    assert [violation for module in trees() for violation in violations_of(module)] == []


def test_number_of_public_names_is_limited() -> None:
    assert len(dshub.__all__) <= PUBLIC_NAMES


def test_number_of_top_level_entries_is_limited() -> None:
    names = {Path(module).parts[0] for module in trees()} - {"__init__.py", "__main__.py"}
    assert len(names) <= TOP_LEVEL_ENTRIES


def test_number_of_late_imports_is_limited() -> None:
    late = {
        (module, getattr(node, "lineno", 0))
        for module, tree in trees().items()
        for _, function in functions(tree)
        for node in ast.walk(function)
        if is_late_import(node)
    }
    assert len(late) <= LATE_IMPORTS


def has_tests(module: str) -> bool:
    """Return True if the module has a test file at the same place below `tests`."""
    path = Path(module.removesuffix("/__init__.py")).with_suffix("")
    for folder in PLUGIN_PACKAGES:
        if path.is_relative_to(folder):
            path = Path(*path.parts[: len(Path(folder).parts) + 1])
    return (TESTS / path.parent / f"test_{path.name.strip('_')}.py").exists()


def test_every_module_has_a_test_file() -> None:
    without = [
        module
        for module in trees()
        if len(lines_of_module(module)) > UNTESTED_LINES
        and not module.startswith(("testing/", "__init__"))
        and not has_tests(module)
    ]
    assert without == []
