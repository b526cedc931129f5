"""Write the content of a manifest as TOML for a person to complete."""

from collections.abc import Mapping
from typing import Any

from dshub.catalog.croissant.importing import Imported
from dshub.errors import MissingExtraError

_REQUIRED = ("name", "version", "title", "summary", "task", "homepage")
_TABLES = ("license", "resources", "features", "splits", "citations")
_WIDTH = 80  # characters of a line of a list; longer lists take several lines


def to_toml(imported: Imported) -> str:
    """A manifest with a comment in place of each fact that the document lacks.

    Raises:
        MissingExtraError: tomlkit is not installed.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtraError(package="tomlkit", extra="author") from error
    document = tomlkit.document()
    for key, value in imported.content.items():
        if key not in _TABLES:
            document.add(key, _value(tomlkit, value))
    for key in _REQUIRED:
        if key not in imported.content:
            document.add(tomlkit.comment(f"{key} is missing"))
    for key in _TABLES:
        value = imported.content.get(key)
        if value:
            shown = _tables(tomlkit, key, value) if _is_table(value) else _value(tomlkit, value)
            document.add(key, shown)
    return str(tomlkit.dumps(document))


def _is_table(value: Any) -> bool:
    """True for a table or a list of tables."""
    if isinstance(value, list):
        return all(isinstance(item, Mapping) for item in value)
    return isinstance(value, Mapping)


def _tables(tomlkit: Any, key: str, value: Any) -> Any:
    """A table, tables in a table, or several tables of one name."""
    if isinstance(value, list):
        several = tomlkit.aot()
        for item in value:
            several.append(_table(tomlkit, item))
        return several
    if key == "license" or not all(isinstance(item, Mapping) for item in value.values()):
        return _table(tomlkit, value)
    outer = tomlkit.table(is_super_table=bool(value))
    for name, item in value.items():
        inner = _table(tomlkit, item)
        if key == "splits" and "rows" not in item:
            inner.add(tomlkit.comment("rows is missing: count them in the files"))
        if key == "resources" and not item.get("sha256") and not item.get("md5"):
            inner.add(tomlkit.comment("sha256 is missing: `dshub pin` writes it"))
        outer.add(name, inner)
    return outer


def _table(tomlkit: Any, content: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for key, value in content.items():
        if value is not None:
            table.add(key, _value(tomlkit, value))
    return table


def _value(tomlkit: Any, value: Any) -> Any:
    """A value on one line, or a list on several where it is long."""
    if isinstance(value, Mapping):
        inline = tomlkit.inline_table()
        for key, item in value.items():
            if item is not None:
                inline.add(key, _value(tomlkit, item))
        return inline
    if isinstance(value, list | tuple):
        items = [_value(tomlkit, item) for item in value if item is not None]
        return _array(tomlkit, items)
    return tomlkit.item(value)


def _array(tomlkit: Any, items: list[Any]) -> Any:
    """A list on one line, or on several full ones."""
    array = tomlkit.array()
    widths = [len(item.as_string()) + 2 for item in items]
    if sum(widths) <= _WIDTH:
        array.extend(items)
        return array
    line: list[Any] = []
    used = 0
    for item, width in zip(items, widths, strict=True):
        if line and used + width > _WIDTH:
            array.add_line(*line)
            line, used = [], 0
        line.append(item)
        used += width
    array.add_line(*line)
    array.add_line(indent="")
    return array
