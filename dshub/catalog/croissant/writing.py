"""Write the content of a manifest as TOML for the user to complete."""

from collections.abc import Mapping
from typing import Any

from dshub.catalog.croissant.importing import Imported
from dshub.errors import MissingExtraError

_SECTIONS = ("license", "resources", "features", "splits", "layouts", "citations")
_WIDTH = 80  # characters above which a list has one item per line


def to_toml(imported: Imported) -> str:
    """Format imported content as a TOML manifest. `dshub check` lists its missing fields.

    Raises:
        MissingExtraError: tomlkit is not installed.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtraError(package="tomlkit", extra="author") from error
    content = imported.content
    values = {key: value for key, value in content.items() if key not in _SECTIONS}
    document = _filled(tomlkit, tomlkit.document(), values)
    for key in _SECTIONS:
        if content.get(key):
            document.add(key, _section(tomlkit, key, content[key]))
    return str(tomlkit.dumps(document))


def _section(tomlkit: Any, key: str, content: Any) -> Any:
    """Return one table, a list of tables, or tables by name."""
    if key == "license":
        return _filled(tomlkit, tomlkit.table(), content)
    if key == "citations":
        entries = tomlkit.aot()
        entries.extend(_filled(tomlkit, tomlkit.table(), item) for item in content)
        return entries
    tables = tomlkit.table(is_super_table=True)
    for name, item in content.items():
        tables.add(name, _filled(tomlkit, tomlkit.table(), item))
    return tables


def _filled(tomlkit: Any, table: Any, content: Mapping[str, Any]) -> Any:
    """Add values to a table or document, and return it."""
    for key, value in content.items():
        table.add(key, _inline(tomlkit, value))
    return table


def _inline(tomlkit: Any, value: Any) -> Any:
    """Convert a value to TOML on one line, or a long list to one item per line."""
    if isinstance(value, Mapping):
        return _filled(tomlkit, tomlkit.inline_table(), value)
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(_inline(tomlkit, item) for item in value)
        return array.multiline(len(array.as_string()) > _WIDTH)
    return tomlkit.item(value)
