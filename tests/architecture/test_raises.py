"""Check that the package raises its own errors, with listed exceptions."""

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

import dshub

PACKAGE = Path(dshub.__file__).parent

# allowed built-in errors by file or folder
ALLOWED = {
    # Python protocols
    "formats/delimited/blocks.py": {"StopIteration"},  # `__next__`
    "__init__.py": {"AttributeError"},  # module `__getattr__`
    "catalog/spellings.py": {"AttributeError"},  # `__getattr__`
    "datasets/paired.py": {"AttributeError"},  # `__getattr__`
    "hub/familiar/keywords.py": {"TypeError"},  # unknown keyword argument
    "adapters/torch.py": {"AttributeError"},  # an attribute of rows with labels only
    "catalog/features.py": {"IndexError"},  # indexing a sequence of classes
    "datasets/selection.py": {"IndexError", "TypeError"},  # indexing a sequence of rows
    "loading/options.py": {"TypeError"},  # unknown keyword argument
    "compat/": {"AttributeError", "ImportError"},  # module `__getattr__`
    # other libraries
    "compat/torchvision/folders.py": {"FileNotFoundError"},  # as `ImageFolder` raises it
    "compat/torchvision/vision.py": {"NotImplementedError"},  # methods of a base class
    # document and option checks; the caller adds the name of the file
    "_validate.py": {"ValueError"},
    "checksums.py": {"ValueError"},
    "formats/": {"TypeError", "ValueError"},
    "mirrors/index.py": {"ValueError"},
    "settings.py": {"TypeError", "ValueError"},
    "tables/record.py": {"ValueError"},
    # NumPy conventions and damaged media; the caller adds the row
    "datasets/audio.py": {"ValueError"},
    "datasets/audio_files.py": {"ValueError"},
    "datasets/decoding.py": {"ValueError"},
    "loading/decoding/": {"ValueError"},
    # caught by a caller in the same package
    "testing/server.py": {"ConnectionAbortedError"},
    "cache/": {"OSError", "PermissionError", "IsADirectoryError"},
    "catalog/croissant/": {"OverflowError"},
}


def builtin_errors_raised() -> Iterator[tuple[str, int, str]]:
    """Yield every `raise` of a built-in error as file, line and name."""
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


def test_raised_errors_are_dshub_errors() -> None:
    strays = [item for item in builtin_errors_raised() if not is_allowed(item[0], item[2])]
    assert strays == []


def test_allowed_errors_are_all_raised() -> None:
    places = [(place, name) for place, _, name in builtin_errors_raised()]
    for allowed, names in ALLOWED.items():
        used = {name for place, name in places if place.startswith(allowed)}
        assert names & used, allowed
