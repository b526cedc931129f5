"""Read settings from arguments, the environment and configuration files.

Precedence: arguments, environment variables, `[tool.dshub]` in the nearest `pyproject.toml`, the
`config.toml` of the user, defaults. Nothing is read at import time.
"""

import os
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from dshub import _validate
from dshub.display import HIDDEN, Address, shown_value
from dshub.errors import SettingsError
from dshub.progress import Style

_LONGEST = 1e6  # maximum timeout in seconds; operating systems reject much longer waits
_QUOTING = ", with quotes around items that contain a separator"
_ADDRESSES = (
    "a folder or a URL such as https://mirror.example, with spaces and @ : / ? # in a password "
    "written as %20 %40 %3A %2F %3F %23"
)
_NAME_SEPARATORS = "," + string.whitespace
_OFF = ("", "0", "false", "no", "off")
_SWITCH = dict.fromkeys(_OFF, False) | dict.fromkeys(("1", "true", "yes", "on"), True)
_STYLES = {"auto": "auto", "bar": "bar", "lines": "lines", "off": "off", "0": "off", "1": "auto"}
_PREFERENCES = {"": None, "local": "local", "mirror": "mirror"}
_LEVELS = {level.lower(): level for level in ("DEBUG", "INFO", "WARNING", "ERROR")}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a `Hub`. Create them with `Settings.read`, which fills in the defaults.

    In environment variables, quote list items that contain a separator.

    Attributes:
        cache: folder of the cache (`DSHUB_CACHE`).
        site_caches: read-only caches to search before the network (`DSHUB_SITE_CACHES`, separated
            as in `PATH`).
        registry: folders with additional manifests (`DSHUB_REGISTRY`, separated as in `PATH`).
        mirrors: URLs or folders to try before the sources in a manifest (`DSHUB_MIRROR`, separated
            by spaces; a single existing folder can have spaces in its name).
        mirror_keys: public keys. If set, the index of a mirror must be signed with one of them
            (`DSHUB_MIRROR_KEYS`, separated as in `PATH`).
        mirror_max_age: days until the signed index of a mirror expires, or None
            (`DSHUB_MIRROR_MAX_AGE`; `off` for None). Applies to URLs if `mirror_keys` is set.
        prefer: `local` or `mirror`, the manifest to use if local and mirrored manifests of the same
            version differ; None raises an error (`DSHUB_PREFER`).
        offline: True to never open a connection (`DSHUB_OFFLINE`).
        synthetic: rows per split of synthetic data to load instead of real data, or None
            (`DSHUB_SYNTHETIC`).
        jobs: maximum number of simultaneous connections (`DSHUB_JOBS`).
        timeout: seconds to wait for an answer of a source (`DSHUB_TIMEOUT`).
        progress: `auto`, `bar`, `lines` or `off` (`DSHUB_PROGRESS`).
        datasets: datasets of the project for `dshub lock` and `dshub licenses`
            (`DSHUB_DATASETS`, separated by commas or spaces).
        lock: file that locks datasets, or None (`DSHUB_LOCK`; `off` for None). By default,
            `dshub.lock` next to `pyproject.toml`, or in the working folder.
        accept_terms: datasets and families with accepted terms (`DSHUB_ACCEPT_TERMS`, separated by
            commas or spaces).
        log: level of the logger `dshub` on the command line, or None (`DSHUB_LOG`).
    """

    cache: Path
    site_caches: tuple[Path, ...] = ()
    registry: tuple[Path, ...] = ()
    mirrors: tuple[str, ...] = ()
    mirror_keys: tuple[Path, ...] = ()
    mirror_max_age: int | None = 365
    prefer: Literal["local", "mirror"] | None = None
    offline: bool = False
    synthetic: int | None = None
    jobs: int = 16
    timeout: float = 30.0
    progress: Style = "auto"
    datasets: tuple[str, ...] = ()
    lock: Path | None = None
    accept_terms: tuple[str, ...] = ()
    log: str | None = None

    def __repr__(self) -> str:
        """Format the settings without passwords, so that they can be logged."""
        pairs = (f"{item.name}={shown_value(getattr(self, item.name))}" for item in fields(self))
        return f"{type(self).__name__}({', '.join(pairs)})"

    @classmethod
    def read(
        cls,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        **overrides: Any,  # attributes of this class
    ) -> Self:
        """Read settings from the environment and configuration files.

        Args:
            environment: environment variables; those of the process by default.
            folder: folder to search for `pyproject.toml`, including its parents; the working
                folder by default.
            **overrides: attributes with the highest precedence. None is ignored.

        Raises:
            SettingsError: a value is invalid; the message names its origin.
        """
        from platformdirs import user_cache_path, user_config_path

        environment = os.environ if environment is None else environment
        here = _working_folder()
        project = _find_project(folder or here)
        values = _read_file(user_config_path("dshub", appauthor=False) / "config.toml", ())
        if project is not None:
            values |= _read_file(project, ("tool", "dshub"))
        for name in _PARSERS:
            variable = "DSHUB_MIRROR" if name == "mirrors" else f"DSHUB_{name.upper()}"
            if variable in environment:
                values[name] = _parse(name, variable, environment[variable], here)
        values |= {
            name: _parse(name, name, value, here)
            for name, value in overrides.items()
            if value is not None
        }
        values.setdefault("cache", user_cache_path("dshub", appauthor=False))
        values.setdefault("lock", (project.parent if project else folder or here) / "dshub.lock")
        return cls(**values)


def _working_folder() -> Path:
    """Return the working folder, or the root folder if the working folder was removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.sep)


def _find_project(folder: Path) -> Path | None:
    """Return the nearest `pyproject.toml` in a folder and its parents, or None."""
    paths = (parent / "pyproject.toml" for parent in (folder, *folder.parents))
    return next((path for path in paths if path.is_file()), None)


def _read_file(path: Path, table: tuple[str, ...]) -> dict[str, Any]:
    """Read the settings in a table of a TOML file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(name=str(path), value=reason, expected="a readable file") from None
    if table and table[-1] not in text:
        return {}  # skip the import of a TOML parser, which most projects do not need
    import tomllib

    try:
        content: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for integers of over 4,300 digits
        raise SettingsError(name=str(path), value=str(error), expected="valid TOML") from None
    for key in table:
        content = content.get(key, {})
        if not isinstance(content, dict):
            raise SettingsError(name=f"{key} in {path}", value=content, expected="a table")
    return {
        name: _parse(name, f"{name} in {path}", value, path.parent)
        for name, value in content.items()
    }


def _parse(name: str, origin: str, value: object, folder: Path) -> Any:
    """Parse the value of a setting, with paths relative to `folder`."""
    if name not in _PARSERS:
        raise SettingsError(
            name=origin,
            value=HIDDEN,  # can be a secret, even if the name is misspelled
            expected=f"one of the settings {', '.join(_PARSERS)}",
        )
    parse, expected = _PARSERS[name]
    try:
        if name == "mirrors" and _is_one_folder(value, folder):
            value = [value]
        parsed = parse(value)
        if name == "mirrors":
            expected = _ADDRESSES
            _check_mirrors(parsed, folder)
    except (ValueError, TypeError, KeyError, OSError, RuntimeError):
        # `expanduser` raises RuntimeError for an unknown user.
        raise SettingsError(name=origin, value=value, expected=expected) from None
    if isinstance(parsed, tuple):
        parsed = tuple(folder / item if isinstance(item, Path) else item for item in parsed)
        return tuple(map(str, parsed)) if name in {"mirrors", "datasets"} else parsed
    return folder / parsed if isinstance(parsed, Path) else parsed


def _is_one_folder(value: object, folder: Path) -> bool:
    """Return True if a value is one existing folder, such as `/media/My Drive`."""
    if not isinstance(value, str) or not value.strip():
        return False
    return os.path.isdir(folder / Path(value).expanduser())  # noqa: PTH112  # accepts any text


def _check_mirrors(mirrors: Sequence[str | Path], folder: Path) -> None:
    """Check that mirrors are valid URLs, or folders if they look like URLs without a scheme.

    Raises:
        ValueError, OSError: a mirror is invalid.
    """
    for mirror in map(str, mirrors):
        if mirror.lower().startswith(("http://", "https://")):
            parts = urlsplit(mirror)
            if not parts.hostname or parts.port == 0:  # `port` raises ValueError if not a number
                raise ValueError
        elif "@" in mirror and not Address(mirror).is_url and not mirror.startswith((os.sep, ".")):
            (folder / mirror).stat()


def _items(text: str, separators: str) -> list[str]:
    """Split text into items. Items that contain separators are quoted.

    Backslashes and inner quotation marks are literal, because paths and names can contain them.

    Raises:
        ValueError: a quotation mark is not closed, or is not followed by a separator.
    """
    between, sign = separators + string.whitespace, re.escape(separators)
    item = re.compile(rf"""(?:"([^"]*)"|'([^']*)'|([^"'{sign}][^{sign}]*))\s*(?=[{sign}]|\Z)""")
    items, remaining = [], text.strip(between)
    while remaining:
        match = item.match(remaining)
        if match is None:
            raise ValueError
        items.append(match[match.lastindex or 0])
        remaining = remaining[match.end() :].lstrip(between)
    return items


def _list(value: object, separators: str) -> list[object]:
    if isinstance(value, str):
        return [*_items(value, separators)]
    if not isinstance(value, list | tuple):
        raise TypeError
    return list(value)


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip() or Address(str(value)).is_url:
        raise ValueError
    return Path(value).expanduser()


def _paths(value: object) -> tuple[Path, ...]:
    if isinstance(value, Path):
        return (_path(value),)
    if isinstance(value, str) and Address(value).is_url:  # `:` would split it into folders
        raise ValueError
    return tuple(map(_path, _list(value, os.pathsep)))


def _mirrors(value: object) -> tuple[str | Path, ...]:
    return tuple(
        item if isinstance(item, str) and Address(item).is_url else _path(item)
        for item in _list(value, string.whitespace)
    )


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(_name, _list(value, _NAME_SEPARATORS)))


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _datasets(value: object) -> tuple[str | Path, ...]:
    """Parse names of datasets and paths of manifests."""
    return tuple(_path(name) if name.endswith(".toml") else name for name in _names(value))


def _choice(choices: Mapping[str, object], value: object) -> object:
    return choices[str(value).strip().lower()]


def _count(value: object, most: int = 2**53 - 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    if not 1 <= int(value) <= most:
        raise ValueError
    return int(value)


def _unless_off(parse: Callable[[object], object], value: object) -> object:
    off = str(value).strip().lower() in _OFF and not isinstance(value, Path)
    return None if off else parse(value)


def _seconds(value: object) -> float:
    """Parse a number of seconds, or a duration such as `2min`."""
    try:
        seconds = float(value) if isinstance(value, str) else _validate.span("timeout", value)
    except ValueError:
        seconds = _validate.span("timeout", value)
    if not 0 < seconds <= _LONGEST:
        raise ValueError
    return seconds


_PARSERS: dict[str, tuple[Callable[[object], Any], str]] = {
    "cache": (_path, "a folder"),
    "site_caches": (_paths, f"folders separated by {os.pathsep!r}{_QUOTING}"),
    "registry": (_paths, f"folders separated by {os.pathsep!r}{_QUOTING}"),
    "mirrors": (_mirrors, f"URLs or folders separated by spaces{_QUOTING}"),
    "mirror_keys": (_paths, f"files separated by {os.pathsep!r}{_QUOTING}"),
    "mirror_max_age": (
        partial(_unless_off, partial(_count, most=1_000_000)),
        "a whole number of days from 1 to 1,000,000, or off",
    ),
    "prefer": (partial(_choice, _PREFERENCES), "local or mirror"),
    "offline": (partial(_choice, _SWITCH), "1 or 0"),
    "synthetic": (partial(_unless_off, _count), "a number of rows of at least 1, or 0"),
    "jobs": (_count, "a whole number of at least 1"),
    "timeout": (
        _seconds,
        "a number of seconds above 0, at most 1,000,000, or a duration such as 2min",
    ),
    "progress": (partial(_choice, _STYLES), "auto, bar, lines or off"),
    "datasets": (_datasets, "names of datasets, separated by commas or spaces"),
    "lock": (partial(_unless_off, _path), "a file, or off"),
    "accept_terms": (_names, "names of datasets, separated by commas or spaces"),
    "log": (partial(_choice, _LEVELS), "debug, info, warning or error"),
}
