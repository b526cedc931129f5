"""Write the content of a manifest as TOML for a person to complete."""

from collections.abc import Mapping
from typing import Any

from dshub.catalog.croissant.importing import Imported
from dshub.errors import MissingExtraError

_REQUIRED = ("name", "version", "title", "summary", "task", "homepage")
_SECTIONS = ("license", "resources", "features", "splits", "layouts", "citations")
_WIDTH = 80  # characters of a list; the items of a longer one take a line each


def to_toml(imported: Imported) -> str:
    """A manifest with a comment in place of each missing fact.

    Raises:
        MissingExtraError: tomlkit is not installed.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtraError(package="tomlkit", extra="author") from error
    document, content = tomlkit.document(), imported.content
    for key, value in content.items():
        if key not in _SECTIONS:
            document.add(key, _inline(tomlkit, value))
    for key in _REQUIRED:
        if key not in content:
            document.add(tomlkit.comment(f"{key} is missing"))
    for key in _SECTIONS:
        if content.get(key):
            document.add(key, _section(tomlkit, key, content[key]))
    return str(tomlkit.dumps(document))


def _section(tomlkit: Any, key: str, content: Any) -> Any:
    """One table, a list of tables, or tables by name."""
    if key == "license":
        return _table(tomlkit, content)
    if key == "citations":
        entries = tomlkit.aot()
        entries.extend(_table(tomlkit, item) for item in content)
        return entries
    tables = tomlkit.table(is_super_table=True)
    for name, item in content.items():
        table = _table(tomlkit, item)
        if key == "splits" and "rows" not in item:
            table.add(tomlkit.comment("rows is missing: count them in the files"))
        if key == "resources" and not {"sha256", "md5"} & item.keys():
            table.add(tomlkit.comment("sha256 is missing: `dshub pin` writes it"))
        tables.add(name, table)
    return tables


def _table(tomlkit: Any, content: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for key, value in content.items():
        table.add(key, _inline(tomlkit, value))
    return table


def _inline(tomlkit: Any, value: Any) -> Any:
    """A value on one line, or a long list on several."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, item in value.items():
            table.add(key, _inline(tomlkit, item))
        return table
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(_inline(tomlkit, item) for item in value)
        return array.multiline(len(array.as_string()) > _WIDTH)
    return tomlkit.item(value)
