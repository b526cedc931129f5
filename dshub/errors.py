"""All exceptions that dshub raises.

::

    DshubError                 1   base class of all errors
    ├── SettingsError          2   a setting has an invalid value
    ├── ArgumentError          2   an argument has an invalid value             (a ValueError)
    ├── SplitError             3   a split expression has a syntax error
    ├── UnknownNameError       3   unknown dataset, split, column or plug-in    (a KeyError)
    ├── ManifestError          1   a manifest has faults
    ├── TransportError         4   a source failed
    ├── FetchError             4   all sources of a file failed (5 if one sent wrong bytes)
    │   ├── OfflineError       6   a file is not cached, and dshub is offline
    │   └── ManualStepError    7   a file must be downloaded by hand
    ├── TermsError             7   the terms of a dataset must be accepted first
    ├── ChecksumError          5   a file has the wrong checksum or size
    ├── UnsafeArchiveError     5   an archive is unsafe to read
    ├── LockError              5   a dataset differs from its entry in dshub.lock
    ├── StoreError             8   a file cannot be read or written
    │   ├── DiskFullError      8   the disk is full
    │   └── Vanished           8   another process removed a file from the cache
    ├── ReadError              9   a file does not have the expected format
    ├── SchemaError            9   rows do not match the manifest
    ├── StateError             1   a saved state does not match the loader
    ├── FunctionError          1   a function passed by the caller failed
    └── MissingExtraError      1   an optional package is not installed         (an ImportError)

The number is the exit code of the command line. Error classes compose their messages from keyword
arguments, which are also attributes. `hint` describes the next step. Messages never contain
passwords, query values or terminal control characters. Further lines of a message are indented.
`IndexError`, `ValueError` and `TypeError` are raised where Python's own types raise them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dshub.display import (
    notebook_lines,
    one_line,
    redacted,
    short,
    shown_url,
    shown_value,
    without_secrets,
)

_USE_MIRROR = "set DSHUB_MIRROR to a mirror that has the file"


class DshubError(Exception):
    """Base class of all errors.

    The hint is also added as an exception note, so that tracebacks show it.

    Attributes:
        exit_code: exit code of the command line.
        hint: next step for the user, or empty.
    """

    exit_code: int = 1
    hint: str = ""
    _shows_queries = False  # True if the message contains URLs to open

    def __init__(self, message: str, *, details: Iterable[str] = (), hint: str = "") -> None:
        lines = [self._clean(text) for text in (message, *details)]
        super().__init__("\n  ".join(lines))
        self.hint = self._clean(hint or self.hint)
        if self.hint:
            self.add_note(f"hint: {self.hint}")

    def _clean(self, text: str) -> str:
        return one_line(redacted(text, queries=not self._shows_queries))

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows: message and hint first, without dshub's frames."""
        return notebook_lines(self, self.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the formatted message, because `__init__` takes keyword arguments."""
        return _unpickle, (type(self), self.args, self.__dict__)


def _unpickle(kind: type[DshubError], args: tuple[Any, ...], facts: dict[str, Any]) -> DshubError:
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    error.__dict__.update(facts)
    return error


def _paragraphs(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of each text, indented below its title."""
    for title, text in texts.items():
        first, *lines = text.splitlines() or [""]
        yield f"{title}: {first}"
        yield from (f"  {line.strip()}" for line in lines)


class SettingsError(DshubError):
    """A setting has an invalid value.

    Example: `DSHUB_JOBS is 'many'; it must be a whole number of at least 1`.
    """

    exit_code = 2

    def __init__(self, *, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {shown_value(value)}; it must be {expected}")
        self.name, self.value, self.expected = name, value, expected


class ArgumentError(DshubError, ValueError, TypeError):
    """An argument has an invalid value.

    Example: `shuffle is 'yes'; it must be True, False or 'blocks'`.

    This is a `ValueError` and a `TypeError`, so that callers can catch either one.
    """

    exit_code = 2

    def __init__(self, *, name: str, value: object, expected: str, hint: str = "") -> None:
        super().__init__(f"{name} is {short(value)}; it must be {expected}", hint=hint)
        self.name, self.value, self.expected = name, value, expected


class SplitError(DshubError):
    """A split expression has a syntax error.

    Example: `cannot read the split 'train[:10': a '[' without its ']'`.
    """

    exit_code = 3
    hint = "write splits like train, train[:1000], train[10%:20%] or train+test"

    def __init__(self, *, expression: str, reason: str) -> None:
        super().__init__(f"cannot read the split {short(expression)}: {reason}")
        self.expression, self.reason = expression, reason


class UnknownNameError(DshubError, KeyError):
    """A dataset, version, split, column, plug-in or other name does not exist.

    Example: `there is no dataset named 'mnits'`, with the hint `did you mean mnist?`.

    Attributes:
        kind: kind of the name, such as `dataset` or `split of mnist`.
        close: suggestions, by default the closest name in `known`.
        known: names that exist.
    """

    exit_code = 3

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        close: Sequence[str] | None = None,
        known: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        close = _closest(name, known) if close is None else close
        question = f"did you mean {' or '.join(close)}?" if close else ""
        available = f"choose from {', '.join(known)}" if known else ""
        advice = "; ".join(filter(None, [available, hint]))
        super().__init__(
            f"there is no {kind} named {name!r}", hint=" ".join(filter(None, [question, advice]))
        )
        self.kind, self.name, self.close, self.known = kind, name, tuple(close), tuple(known)

    def __str__(self) -> str:
        return Exception.__str__(self)  # `KeyError.__str__` would add quotes


def _closest(name: object, known: Sequence[str]) -> list[str]:
    """Return the existing name that is most similar to `name`, or an empty list."""
    import difflib  # imported lazily, because it is slow to import

    originals = {item.casefold(): item for item in known}
    matches = difflib.get_close_matches(str(name).casefold(), originals, n=1, cutoff=0.75)
    return [originals[match] for match in matches]


class ManifestError(DshubError):
    """A manifest has faults; the message lists all of them.

    ::

        registry/mnist/1.0.0.toml has 2 faults:
          line 14, resources.train-images.sha256: must be 64 hexadecimal digits
          line 31, splits.train.row: unknown field; did you mean rows?
    """

    hint = "edit the manifest, then run `dshub check FILE`"

    def __init__(self, *, source: str, faults: Sequence[object], hint: str = "") -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{source} has {count}:", details=map(str, faults), hint=hint)
        self.source, self.faults = source, tuple(faults)


class TransportError(DshubError):
    """A source failed, as in `https://host/file.gz: 503 Service Unavailable`.

    Attributes:
        transient: True if a retry can succeed.
        unreachable: True if the name lookup or the connection failed.
        retry_after: seconds to wait as requested by the server, or None.
        absent: True if the source does not have the file.
    """

    exit_code = 4

    def __init__(
        self,
        *,
        url: str,
        reason: str,
        transient: bool = False,
        unreachable: bool = False,
        retry_after: float | None = None,
        absent: bool = False,
    ) -> None:
        self.url, self.reason = url, one_line(without_secrets(reason, url))
        if absent:
            hint = "look for a newer version of the dataset (the file was moved or removed)"
        elif unreachable:
            hint = "check the network connection and the proxy settings"
        else:
            hint = "try again later" if transient else _USE_MIRROR
        super().__init__(f"{shown_url(url)}: {self.reason}", hint=hint)
        self.transient, self.unreachable, self.absent = transient, unreachable, absent
        self.retry_after = retry_after

    def noting(self, note: str) -> "TransportError":
        """Return a copy of the error with a note after its reason, such as `5 tries`."""
        flags = {name: getattr(self, name) for name in ("transient", "unreachable", "absent")}
        return TransportError(url=self.url, reason=f"{self.reason}, {note}", **flags)


class FetchError(DshubError):
    """Files could not be downloaded; the message lists the error of each source.

    ::

        could not download 1 file of mnist:
          train-images (9.9 MB)
            https://first.example/train-images.gz: 503 Service Unavailable, 5 tries

    The exit code is 5 instead of 4 if a source sent wrong bytes.

    Attributes:
        dataset: name of the dataset, or several names separated by commas.
        attempts: errors of each file's sources.
    """

    exit_code = 4

    def __init__(self, *, dataset: str, attempts: Mapping[str, Sequence[DshubError]]) -> None:
        lines = []
        for title, errors in attempts.items():
            lines += [title, *(f"  {error}" for error in errors)]
            if not errors:
                lines.append("  the manifest has no source for this file")
        errors = [error for several in attempts.values() for error in several]
        wrong = [error for error in errors if isinstance(error, ChecksumError)]
        causes = [_compare(wrong)] if wrong else [error.hint for error in errors]
        elsewhere = f"or get the files elsewhere and run `dshub import {_one(dataset)} FOLDER`"
        files = "1 file" if len(attempts) == 1 else f"{len(attempts)} files"
        super().__init__(
            f"could not download {files} of {dataset}:",
            details=lines,
            hint=", ".join(dict.fromkeys([*causes, _USE_MIRROR, elsewhere])),
        )
        self.dataset, self.attempts = dataset, {k: tuple(v) for k, v in attempts.items()}
        self.exit_code = 5 if wrong else 4


def _one(dataset: str) -> str:
    """Return the dataset name for an example command, or NAME if there are several datasets."""
    return "NAME" if ", " in dataset else dataset


def _compare(wrong: Sequence["ChecksumError"]) -> str:
    """Return the hint for wrong bytes, which depends on whether the sources agree."""
    actual = {error.source: error.actual for error in wrong}
    if len(actual) == 1:
        return wrong[0].hint
    if len(set(actual.values())) == 1:
        return (
            "look for a newer version of the dataset (upstream changed the file, because "
            f"{len(actual)} sources send the same bytes)"
        )
    return f"try again later ({len(actual)} sources send different bytes)"


class OfflineError(FetchError):
    """Files are not in the cache, and `DSHUB_OFFLINE` is set; the message lists the files.

    Attributes:
        dataset: name of the dataset, or several names separated by commas.
        files: name and size of each missing file.
        looked_in: folders of the searched caches.
    """

    exit_code = 6

    def __init__(
        self,
        *,
        dataset: str,
        files: Sequence[str],
        looked_in: Sequence[str],
        mirrors: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        verb, names = "are" if ", " in dataset else "is", dataset.replace(",", "")
        places = f"the cache ({', '.join(looked_in)})"
        way = f"`dshub fetch {names}` on a connected machine and copy its cache here"
        if mirrors:
            places += f" or the mirror {', '.join(mirrors)}"
            way = f"`dshub mirror FOLDER {names}` on a connected machine and copy FOLDER here"
        DshubError.__init__(
            self,
            f"{dataset} {verb} not complete in {places}, and DSHUB_OFFLINE is set, so nothing is "
            "downloaded:",
            details=files,
            hint=hint
            or f"unset DSHUB_OFFLINE, run {way}, or copy the files here and run "
            f"`dshub import {_one(dataset)} FOLDER`",
        )
        self.dataset, self.files, self.looked_in = dataset, tuple(files), tuple(looked_in)
        self.attempts = {}


class ManualStepError(FetchError):
    """Files must be downloaded by hand; the message shows the instructions of the manifest.

    Attributes:
        dataset: name of the dataset, or several names separated by commas.
        files: instructions for each file.
    """

    exit_code = 7
    _shows_queries = True

    def __init__(self, *, dataset: str, files: Mapping[str, str]) -> None:
        DshubError.__init__(
            self,
            f"{dataset} has files that must be downloaded by hand:",
            details=_paragraphs(files),
            hint=f"download the files, then run `dshub import {_one(dataset)} FILE-OR-FOLDER`",
        )
        self.dataset, self.files = dataset, dict(files)
        self.attempts = {}


class ChecksumError(DshubError):
    """A file has the wrong checksum or size.

    Example: `https://…: got 62 bytes, expected 9,912,422 bytes; it is an HTML page titled 'Login'`.

    Attributes:
        source: URL or path of the file.
        expected, actual: `algorithm:hex`, or a size such as `62 bytes`.
        diagnosis: description of the received content, or empty.
        kept: path where the received content was saved, or empty.
    """

    exit_code = 5
    hint = "look for a newer version of the dataset (upstream may have changed the file)"

    def __init__(
        self,
        *,
        source: str,
        expected: str,
        actual: str,
        diagnosis: str = "",
        kept: str = "",
        hint: str = "",
    ) -> None:
        saved = f"saved as {kept}" if kept else ""
        facts = [f"got {actual}, expected {expected}", diagnosis, saved]
        super().__init__(f"{shown_url(source)}: {'; '.join(filter(None, facts))}", hint=hint)
        self.source, self.expected, self.actual = source, expected, actual
        self.diagnosis, self.kept = diagnosis, kept


class UnsafeArchiveError(DshubError):
    """An archive is unsafe to read.

    Example: `emnist.zip: member '../../etc/passwd' points outside the archive`.

    Attributes:
        archive: name of the archive.
        member: name of the unsafe member, or None if the whole archive is unsafe.
        reason: the problem, as a predicate of the archive or member.
    """

    exit_code = 5
    hint = "do not use this archive; nothing was extracted"

    def __init__(self, *, archive: str, member: str | None, reason: str, hint: str = "") -> None:
        subject = "it" if member is None else f"member {member!r}"
        super().__init__(f"{archive}: {subject} {reason}", hint=hint)
        self.archive, self.member, self.reason = archive, member, reason


class LockError(DshubError):
    """A dataset differs from its entry in the lock file.

    Attributes:
        lock: path of the lock file.
        names: datasets that differ.
        changes: description of each difference.
    """

    exit_code = 5

    def __init__(
        self, *, lock: str, names: Sequence[str], changes: Sequence[str], hint: str = ""
    ) -> None:
        only = f" {changes[0]}" if len(changes) == 1 else ""
        super().__init__(
            f"{lock} is out of date:{only}",
            details=() if only else changes,
            hint=hint
            or f"run `dshub lock {' '.join(names)}` to accept the changes, or set DSHUB_LOCK=off "
            "to ignore the lock file",
        )
        self.lock, self.names, self.changes = lock, tuple(names), tuple(changes)


class TermsError(DshubError):
    """The terms of datasets must be accepted before the download.

    Attributes:
        terms: text of the terms by dataset.
    """

    exit_code = 7
    _shows_queries = True

    def __init__(self, *, terms: Mapping[str, str]) -> None:
        super().__init__(
            f"terms must be accepted before {', '.join(terms)} can be downloaded:",
            details=_paragraphs(terms),
            hint=f"run `dshub fetch {' '.join(terms)}` in a terminal and answer yes, or set "
            f"DSHUB_ACCEPT_TERMS={','.join(terms)}",
        )
        self.terms = dict(terms)


class StoreError(DshubError):
    """A file cannot be read or written.

    Example: `cannot write /data/cache/blobs-v1: Permission denied`.
    """

    exit_code = 8
    hint = "check that the folder exists and is writable, or set DSHUB_CACHE to another folder"

    def __init__(self, *, path: str, action: str, reason: str, hint: str = "") -> None:
        if action == "read":
            hint = hint or "check that the file exists and that you have permission to read it"
        self.path, self.action, self.reason = path, action, without_secrets(reason, path)
        shown = shown_url(path) if "://" in path else path
        super().__init__(f"cannot {action} {shown}: {self.reason}", hint=hint)


class DiskFullError(StoreError):
    """The disk is full or has less free space than needed.

    Example: `cannot write /data/cache: it needs 1.2 GB and 0.3 GB are free`.
    """

    hint = (
        "free some disk space (`dshub cache du` shows the usage of the cache), or set DSHUB_CACHE "
        "to a folder on another disk"
    )

    def __init__(self, *, path: str, reason: str = "no space left on the device") -> None:
        super().__init__(path=path, action="write", reason=reason)


class Vanished(StoreError):  # noqa: N818  # an event to retry more than an error
    """Another process removed a file from the cache. `Hub.run` retries once.

    Example: `cannot use /data/cache/blobs-v1/9f/…: another process removed it`.
    """

    hint = "wait for `dshub cache` to finish in the other process, then run this again"

    def __init__(self, *, path: str) -> None:
        super().__init__(path=path, action="use", reason="another process removed it")


class ReadError(DshubError):
    """A file does not have the expected format.

    Example: `train-images: its header promises 47,040,000 bytes of data, but 1,000 follow`.
    """

    exit_code = 9
    hint = "check that the file is complete and has the format that the reader expects"

    def __init__(
        self, *, file: str, reason: str, details: Iterable[str] = (), hint: str = ""
    ) -> None:
        super().__init__(f"{file}: {reason}", details=details, hint=hint)
        self.file, self.reason = file, reason


class SchemaError(DshubError):
    """Rows do not match the manifest.

    Example: `mnist, split train, column label, row 17: got 12, expected a label from 0 to 9`.

    Attributes:
        where: position of the value.
        expected, got: expected and actual value.
        row: number of the row in its split, or None.
    """

    exit_code = 9
    hint = "correct the manifest or the data, or report the error to the author of the manifest"

    def __init__(
        self, *, where: str, expected: str, got: str, hint: str = "", row: int | None = None
    ) -> None:
        super().__init__(f"{where}: got {got}, expected {expected}", hint=hint)
        self.where, self.expected, self.got, self.row = where, expected, got, row


class StateError(DshubError):
    """A saved state does not match the loader.

    Example: `this state was saved with seed 1, but the loader has seed 0`.
    """

    hint = "create the loader with the same arguments as the one that saved the state"


class FunctionError(DshubError):
    """A function passed by the caller failed.

    Example: `map: tokenize failed at mnist@1.0.0, split train, row 3: KeyError: 'txt'`.

    The exception of the function is the cause (`__cause__`).
    """

    hint = "call the function with this value to reproduce the error"

    def __init__(
        self,
        message: str = "",  # torch re-raises errors of workers as `type(message)`
        *,
        method: str = "",
        function: str = "",
        where: str = "",
        reason: str = "",
        value: str = "",
    ) -> None:
        failed = f"{method}: {function} failed at {where}: {one_line(reason)}"
        first, *details = message.splitlines() or [failed, f"it received {value}"]
        super().__init__(first, details=details)
        self.method, self.function, self.where, self.reason = method, function, where, reason


class MissingExtraError(DshubError, ImportError):
    """An optional package is not installed.

    Example: `torch is not installed`, with the hint `run pip install 'dshub[torch]'`.
    """

    def __init__(self, *, package: str, extra: str) -> None:
        missing = shown_url(package) if "://" in package else package
        super().__init__(f"{missing} is not installed", hint=f"run `pip install 'dshub[{extra}]'`")
        self.package, self.extra = package, extra


@contextmanager
def needs(package: str, *, extra: str) -> Iterator[None]:
    """Raise `MissingExtraError` if an import in this block fails."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(package=package, extra=extra) from error
