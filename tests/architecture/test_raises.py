"""Errors that callers meet are dshub's own; built-in ones are raised for a reason only."""

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

import dshub

PACKAGE = Path(dshub.__file__).parent

# by file or folder, and why
ALLOWED = {
    # Python's habits
    "__init__.py": {"AttributeError"},  # of a module without that name
    "catalog/features.py": {"IndexError"},  # of a sequence of classes
    "catalog/phrasebook.py": {"TypeError"},  # of an unknown keyword
    "datasets/selection.py": {"IndexError", "TypeError"},  # of a sequence of rows
    "loading/options.py": {"TypeError"},  # of an unknown keyword
    # checks of documents and of options of readers: whoever reads them names the file
    "_validate.py": {"ValueError"},
    "checksums.py": {"ValueError"},
    "formats/": {"TypeError", "ValueError"},
    "mirrors/index.py": {"ValueError"},
    "settings.py": {"TypeError", "ValueError"},
    "tables/record.py": {"ValueError"},
    # NumPy's habits, and damaged media: whoever decodes a row names it
    "datasets/decoding.py": {"ValueError"},
    "datasets/images.py": {"ValueError"},
    # caught by the caller in the same package
    "testing/server.py": {"ConnectionAbortedError"},
    "cache/": {"OSError", "PermissionError", "IsADirectoryError"},
    "catalog/croissant/": {"OverflowError"},
}


def raised() -> Iterator[tuple[str, int, str]]:
    """Every `raise` of a built-in error: the file, the line and the name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_bytes())):
            match node:
                case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
                    if name in dir(builtins):
                        yield place, node.lineno, name


def is_allowed(place: str, name: str) -> bool:
    return any(
        name in names
        for allowed, names in ALLOWED.items()
        if place == allowed or (allowed.endswith("/") and place.startswith(allowed))
    )


def test_errors_that_callers_meet_are_in_the_tree() -> None:
    strays = [item for item in raised() if not is_allowed(item[0], item[2])]
    assert strays == []


def test_no_exception_to_the_rule_is_left_over() -> None:
    places = [(place, name) for place, _, name in raised()]
    for allowed, names in ALLOWED.items():
        used = {name for place, name in places if place.startswith(allowed)}
        assert names & used, allowed
