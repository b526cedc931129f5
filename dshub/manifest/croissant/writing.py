"""A manifest's content as TOML that a person goes on with."""

from collections.abc import Mapping
from typing import Any

from dshub.errors import MissingExtraError
from dshub.manifest.croissant.importing import Imported

_REQUIRED = ("name", "version", "title", "summary", "task", "homepage")
_INLINE = {"files", "reader", "steps", "limits", "figures"}
_WIDTH = 80  # characters from which a list has a line for each item


def to_toml(imported: Imported) -> str:
    """A manifest with a comment in place of each thing that the document does not say.

    Raises:
        MissingExtraError: tomlkit is not installed.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtraError(package="tomlkit", extra="author") from error
    document = tomlkit.document()
    plain = {key: item for key, item in imported.content.items() if not _is_table(item)}
    for key, value in plain.items():
        document.add(key, _value(tomlkit, value))
    for key in _REQUIRED:
        if key not in plain:
            document.add(tomlkit.comment(f"{key} is missing"))
    for key, value in imported.content.items():
        if key not in plain:
            document.add(key, _tables(tomlkit, key, value))
    return str(tomlkit.dumps(document))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def _tables(tomlkit: Any, key: str, value: Any) -> Any:
    """A table, tables in a table, or several tables of one name."""
    if isinstance(value, list):
        several = tomlkit.aot()
        for item in value:
            several.append(_table(tomlkit, item))
        return several
    if key == "license":
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
        array = tomlkit.array()
        array.extend(items)
        return array.multiline(sum(len(str(item)) + 4 for item in value) > _WIDTH)
    return tomlkit.item(value)
