"""Everything a user can set, read once into one frozen value that is passed along.

Precedence: argument, environment variable, `[tool.dshub]` of the nearest `pyproject.toml`, the
user's `config.toml`, default. Nothing is read at import.
"""

import os
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self, cast
from urllib.parse import urlsplit

from dshub import _validate as arguments
from dshub.display import HIDDEN, Address, shown_value
from dshub.errors import SettingsError
from dshub.progress import Style

_QUOTED = "; one that holds such a sign stands in quotation marks"
_LONGEST = 1e6  # seconds; a few times more is too long for the system
_ADDRESS = (
    "a folder, or an address that begins with https:// or the like, in whose password blanks and "
    "@ : / ? # are written %20 %40 %3A %2F %3F %23"
)
_WORDS = "," + string.whitespace  # between names
_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}
_STYLES = {"auto": "auto", "bar": "bar", "lines": "lines", "off": "off", "0": "off", "1": "auto"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one `Hub`. Build it with `Settings.read`, which fills what is not given.

    Attributes:
        cache: folder of everything that dshub keeps (`DSHUB_CACHE`).
        site_caches: read-only caches searched before the network (`DSHUB_SITE_CACHES`,
            separated as in `PATH`). In every list, an item in quotation marks may hold what
            separates items.
        registry: folders of manifests besides the built-in ones (`DSHUB_REGISTRY`, separated as
            in `PATH`).
        mirrors: URLs or folders tried before the sources of a manifest (`DSHUB_MIRROR`,
            separated by blanks; a single folder that is there may have blanks in its name).
        mirror_keys: public keys, one of which must have signed the index of a mirror for its
            list of datasets to count (`DSHUB_MIRROR_KEYS`, separated as in `PATH`).
        mirror_max_age: days after which the signed index of a mirror, other than a folder, counts
            as out of date, or None (`DSHUB_MIRROR_MAX_AGE`; `off` for none). It needs
            `mirror_keys`.
        prefer: `local` or `mirror`: whose manifest is meant where both have different ones of
            the same name and version; None makes that an error (`DSHUB_PREFER`).
        offline: never open a connection (`DSHUB_OFFLINE`).
        synthetic: rows per split of a stand-in that replaces every dataset, or None
            (`DSHUB_SYNTHETIC`).
        jobs: connections at once, over all files (`DSHUB_JOBS`).
        timeout: seconds without an answer after which a source counts as silent
            (`DSHUB_TIMEOUT`).
        progress: `auto`, `bar`, `lines` or `off` (`DSHUB_PROGRESS`).
        datasets: those that the project uses, for `dshub lock` and `dshub licenses`
            (`DSHUB_DATASETS`, separated by commas or blanks).
        lock: file that pins datasets, or None (`DSHUB_LOCK`; `off` for none). `dshub.lock` beside
            `pyproject.toml`, or in the working folder where there is none.
        accept_terms: datasets and families whose terms are accepted (`DSHUB_ACCEPT_TERMS`,
            separated by commas or blanks).
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
        """Show no password of a mirror: notebooks and logs keep what they show."""
        pairs = (f"{item.name}={shown_value(getattr(self, item.name))}" for item in fields(self))
        return f"{type(self).__name__}({', '.join(pairs)})"

    @classmethod
    def read(
        cls,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        **given: Any,  # any of the attributes above
    ) -> Self:
        """Settings from all their places.

        Args:
            environment: variables to read instead of the process's own.
            folder: where the search for `pyproject.toml` begins, instead of the working folder.
            **given: attributes that override every other place; None counts as not given.

        Raises:
            SettingsError: a value that cannot be used, with the name it was given under.
        """
        environment = os.environ if environment is None else environment
        here = _working_folder()
        values: dict[str, Any] = {}
        project = _project(folder or here)
        for source in (_user_config(), _project_config(project)):
            values.update(source)
        for name in _PARSERS:
            variable = _variable(name)
            if variable in environment:
                values[name] = _parse(name, variable, environment[variable], here)
        given = {name: value for name, value in given.items() if value is not None}
        for name, value in given.items():
            values[name] = _parse(name, name, value, here)
        if "cache" not in values:
            values["cache"] = _default_cache()
        if "lock" not in values:
            values["lock"] = (project.parent if project else folder or here) / "dshub.lock"
        return cls(**values)


def _working_folder() -> Path:
    """The working folder, or the root where somebody has removed it."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.sep)


def _variable(name: str) -> str:
    return "DSHUB_MIRROR" if name == "mirrors" else f"DSHUB_{name.upper()}"


def _parse(name: str, origin: str, value: object, folder: Path) -> Any:
    """The setting that a value means; relative paths are relative to `folder`."""
    if name not in _PARSERS:
        raise SettingsError(
            name=origin,
            value=HIDDEN,  # of a mistyped name it may be a secret
            expected=f"one of the settings {', '.join(_PARSERS)}",
        )
    parse, expected = _PARSERS[name]
    try:
        if name == "mirrors" and _is_one_folder(value, folder):
            value = [value]
        parsed = parse(value)
        if name == "mirrors":
            expected = _ADDRESS
            _check_mirrors(parsed, folder)
    except (ValueError, TypeError, KeyError, OSError, RuntimeError):  # RuntimeError: ~nobody
        raise SettingsError(name=origin, value=value, expected=expected) from None
    if isinstance(parsed, Path):
        return folder / parsed
    if isinstance(parsed, tuple):
        parsed = tuple(folder / item if isinstance(item, Path) else item for item in parsed)
    return tuple(map(str, parsed)) if name in {"mirrors", "datasets"} else parsed


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip() or Address(str(value)).is_url:
        raise ValueError
    return Path(value).expanduser()


def _items(text: str, separators: str) -> list[str]:
    """The items of a list; one in quotation marks may hold separators, as in a shell.

    Nothing else is special: a backslash separates names on Windows, and an apostrophe within a
    name is one.

    Raises:
        ValueError: a quotation mark is not closed, or something follows a closed one.
    """
    between, sign = separators + string.whitespace, re.escape(separators)
    item = re.compile(rf"""(?:"([^"]*)"|'([^']*)'|([^"'{sign}][^{sign}]*))\s*(?=[{sign}]|\Z)""")
    found, rest = [], text.strip(between)
    while rest:
        match = item.match(rest)
        if match is None:
            raise ValueError
        found.append(match[match.lastindex or 0])
        rest = rest[match.end() :].lstrip(between)
    return found


def _paths(value: object) -> tuple[Path, ...]:
    if isinstance(value, str):
        if Address(value).is_url:  # an address, which a separator of `:` would cut into folders
            raise ValueError
        value = _items(value, os.pathsep)
    if isinstance(value, Path):
        value = [value]
    return tuple(_path(part) for part in _sequence(value))


def _is_one_folder(value: object, folder: Path) -> bool:
    """Whether a text with blanks is the name of a folder: `/media/My Stick`."""
    if not isinstance(value, str) or not value.strip():
        return False
    return os.path.isdir(folder / Path(value).expanduser())  # noqa: PTH112  # of any text at all


def _mirrors(value: object) -> tuple[str | Path, ...]:
    parts = _sequence(_items(value, string.whitespace) if isinstance(value, str) else value)
    return tuple(
        part if isinstance(part, str) and Address(part).is_url else _path(part) for part in parts
    )


def _check_mirrors(mirrors: Sequence[str | Path], folder: Path) -> None:
    """Refuse what is neither an address nor a folder, such as an address without its scheme.

    Raises:
        ValueError, OSError: there is one.
    """
    for mirror in map(str, mirrors):
        if mirror.lower().startswith(("http://", "https://")):
            parts = urlsplit(mirror)
            if not parts.hostname or parts.port == 0:  # `port` raises where it is no number
                raise ValueError
        elif "@" in mirror and not Address(mirror).is_url and not mirror.startswith((os.sep, ".")):
            (folder / mirror).stat()


def _words(value: object) -> tuple[str, ...]:
    parts = _sequence(_items(value, _WORDS) if isinstance(value, str) else value)
    return tuple(_word(part) for part in parts)


def _word(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _datasets(value: object) -> tuple[str | Path, ...]:
    """Names, and paths of manifests."""
    return tuple(_path(name) if name.endswith(".toml") else name for name in _words(value))


def _lock(value: object) -> Path | None:
    off = str(value).strip().lower() in _NO and not isinstance(value, Path)
    return None if off else _path(value)


def _sequence(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return list(value)


def _preference(value: object) -> str | None:
    text = str(value).strip().lower()
    if text not in {"", "local", "mirror"}:
        raise ValueError
    return text or None


def _flag(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _YES | _NO:
        raise ValueError
    return text in _YES


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    if not 1 <= int(value) < 2**53:
        raise ValueError
    return int(value)


def _rows(value: object) -> int | None:
    return None if str(value).strip().lower() in _NO else _count(value)


def _days(value: object) -> int | None:
    days = _rows(value)
    if days is not None and days > 1_000_000:
        raise ValueError
    return days


def _seconds(value: object) -> float:
    """Seconds are meant where a text has no unit."""
    try:
        seconds = float(value) if isinstance(value, str) else arguments.span("timeout", value)
    except ValueError:
        seconds = arguments.span("timeout", value)
    if not 0 < seconds <= _LONGEST:
        raise ValueError
    return seconds


def _style(value: object) -> Style:
    return cast("Style", _STYLES[str(value).strip().lower()])


def _level(value: object) -> str:
    text = str(value).strip().upper()
    if text not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError
    return text


_PARSERS: dict[str, tuple[Callable[[object], Any], str]] = {
    "cache": (_path, "a folder"),
    "site_caches": (_paths, f"folders separated by {os.pathsep!r}{_QUOTED}"),
    "registry": (_paths, f"folders separated by {os.pathsep!r}{_QUOTED}"),
    "mirrors": (_mirrors, f"URLs or folders separated by blanks{_QUOTED}"),
    "mirror_keys": (_paths, f"files separated by {os.pathsep!r}{_QUOTED}"),
    "mirror_max_age": (_days, "a whole number of days from 1 to 1,000,000, or off"),
    "prefer": (_preference, "local or mirror"),
    "offline": (_flag, "1 or 0"),
    "synthetic": (_rows, "a number of rows of at least 1, or 0"),
    "jobs": (_count, "a whole number of at least 1"),
    "timeout": (_seconds, "a number of seconds above 0, at most 1,000,000, or a span such as 2min"),
    "progress": (_style, "auto, bar, lines or off"),
    "datasets": (_datasets, "names of datasets, separated by commas or blanks"),
    "lock": (_lock, "a file, or off"),
    "accept_terms": (_words, "names of datasets, separated by commas or blanks"),
    "log": (_level, "debug, info, warning or error"),
}


def _default_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("dshub", appauthor=False)


def _user_config() -> dict[str, Any]:
    from platformdirs import user_config_path

    path = user_config_path("dshub", appauthor=False) / "config.toml"
    return _file_settings(path, ()) if path.is_file() else {}


def _project(folder: Path) -> Path | None:
    """The nearest `pyproject.toml`, from a folder upwards."""
    paths = (parent / "pyproject.toml" for parent in (folder, *folder.parents))
    return next((path for path in paths if path.is_file()), None)


def _project_config(path: Path | None) -> dict[str, Any]:
    return {} if path is None else _file_settings(path, ("tool", "dshub"))


def _file_settings(path: Path, table: tuple[str, ...]) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        told = error.strerror or str(error)
        raise SettingsError(name=str(path), value=told, expected="a file one may read") from None
    if table and table[-1] not in text:
        return {}  # most projects: not worth the import of a parser
    import tomllib

    try:
        content: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 5,000 digits
        raise SettingsError(name=str(path), value=str(error), expected="valid TOML") from None
    for key in table:
        content = content.get(key, {})
        if not isinstance(content, dict):
            raise SettingsError(name=f"{key} in {path}", value=content, expected="a table")
    return {
        name: _parse(name, f"{name} in {path}", value, path.parent)
        for name, value in content.items()
    }
