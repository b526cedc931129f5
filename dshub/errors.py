"""Every exception that dshub raises on purpose.

::

    DshubError                 1   the root: catch this one
    ├── SettingsError          2   a setting has an unusable value
    ├── ArgumentError          2   an argument has an unusable value            (a ValueError)
    ├── SplitError             3   a split expression has a syntax error
    ├── UnknownNameError       3   no such dataset, split, column, plug-in      (a KeyError)
    ├── ManifestError          1   a manifest has faults; lists all of them
    ├── TransportError         4   one source did not deliver
    ├── FetchError             4   every source of a file failed (5 if one sent wrong bytes)
    │   ├── OfflineError       6   not in the cache, and offline
    │   └── ManualStepError    7   a file must be obtained by hand
    ├── TermsError             7   the dataset's terms must be accepted first
    ├── ChecksumError          5   bytes are not the published ones
    ├── UnsafeArchiveError     5   an archive is unsafe to read
    ├── LockError              5   a dataset differs from what dshub.lock pins
    ├── StoreError             8   a file cannot be read or written
    │   ├── DiskFullError      8   no space left
    │   └── Vanished           8   another process removed a file from the cache
    ├── ReadError              9   a file does not have the format it should
    ├── SchemaError            9   rows do not fit their manifest
    ├── StateError             1   a saved loader state belongs to another loader
    └── MissingExtraError      1   an optional package is not installed         (an ImportError)

The number is the exit code of the command line. Errors take facts as keywords, keep them as
attributes, and do the wording. `hint` is the next step, shown on a line of its own. Messages never
contain passwords, query values or terminal commands. The first line is one line, and each of the
`details` is another, indented. `IndexError`, `ValueError` and `TypeError` are raised only where
Python's own types raise them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dshub.display import one_line, redacted, short, shown_url, shown_value, without_secrets

_USE_MIRROR = "set DSHUB_MIRROR to a mirror that has the file"


class DshubError(Exception):
    """The root of the tree. `str(error)` says what happened, `error.hint` what to do next.

    The hint is also a note of the exception, so that a traceback ends with it.
    """

    exit_code: int = 1
    hint: str = ""
    _shows_queries = False  # True if the user must follow addresses in the message

    def __init__(self, message: str, *, details: Iterable[str] = (), hint: str = "") -> None:
        lines = [self._clean(text) for text in (message, *details)]
        super().__init__("\n  ".join(lines))
        self.hint = self._clean(hint or self.hint)
        if self.hint:
            self.add_note(f"hint: {self.hint}")

    def _clean(self, text: str) -> str:
        return one_line(redacted(text, queries=not self._shows_queries))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the finished message, because `__init__` takes keywords."""
        return _unpickle, (type(self), self.args, self.__dict__)


def _unpickle(kind: type[DshubError], args: tuple[Any, ...], facts: dict[str, Any]) -> DshubError:
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    error.__dict__.update(facts)
    return error


def _paragraphs(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of each text, indented below its title."""
    for title, text in texts.items():
        first, *others = text.splitlines() or [""]
        yield f"{title}: {first}"
        yield from (f"  {line.strip()}" for line in others)


class SettingsError(DshubError):
    """`DSHUB_JOBS is 'many'; it must be a whole number of at least 1`."""

    exit_code = 2

    def __init__(self, *, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {shown_value(value)}; it must be {expected}")
        self.name, self.value, self.expected = name, value, expected


class ArgumentError(DshubError, ValueError, TypeError):
    """`shuffle is 'yes'; it must be True, False or 'blocks'`.

    It is both a `ValueError` and a `TypeError`: Python's own functions differ in which of the two
    they raise, and callers should not have to know.
    """

    exit_code = 2

    def __init__(self, *, name: str, value: object, expected: str, hint: str = "") -> None:
        super().__init__(f"{name} is {short(value)}; it must be {expected}", hint=hint)
        self.name, self.value, self.expected = name, value, expected


class SplitError(DshubError):
    """`cannot read the split 'train[:10': a '[' without its ']'`."""

    exit_code = 3
    hint = "write splits as train, train[:1000], train[10%:20%] or train+test"

    def __init__(self, *, expression: str, reason: str) -> None:
        super().__init__(f"cannot read the split {short(expression)}: {reason}")
        self.expression, self.reason = expression, reason


class UnknownNameError(DshubError, KeyError):
    """`there is no dataset named 'mnits'` / `hint: did you mean mnist?`.

    Attributes:
        close: suggestions; by default the closest of `known`.
        known: the names that exist.
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
        others = "; ".join(filter(None, [f"known: {', '.join(known)}" if known else "", hint]))
        super().__init__(
            f"there is no {kind} named {name!r}", hint=" ".join(filter(None, [question, others]))
        )
        self.kind, self.name, self.close, self.known = kind, name, tuple(close), tuple(known)

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError's own adds quotes


def _closest(name: object, known: Sequence[str]) -> list[str]:
    """The known name most similar to `name`, ignoring case, as a list of at most one."""
    import difflib  # for an error only

    plain = {other.casefold(): other for other in known}
    matches = difflib.get_close_matches(str(name).casefold(), plain, n=1, cutoff=0.75)
    return [plain[match] for match in matches]


class ManifestError(DshubError):
    """Lists every fault of a manifest with its place.

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
    """`https://host/file.gz: 503 Service Unavailable`.

    Attributes:
        transient: trying the same source again may help.
        unreachable: the host cannot be reached (name lookup, connection).
        retry_after: seconds to wait, as the server asked, or None.
        absent: the source says that it has no such file.
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
            hint = "the file was moved or removed: look for a newer version of the dataset"
        elif unreachable:
            hint = "check the network connection and the proxy settings"
        else:
            hint = "try again later" if transient else _USE_MIRROR
        super().__init__(f"{shown_url(url)}: {self.reason}", hint=hint)
        self.transient, self.unreachable, self.absent = transient, unreachable, absent
        self.retry_after = retry_after

    def noting(self, note: str) -> "TransportError":
        """The same error with a note after its reason: `…, 5 tries`."""
        flags = {name: getattr(self, name) for name in ("transient", "unreachable", "absent")}
        return TransportError(url=self.url, reason=f"{self.reason}, {note}", **flags)


class FetchError(DshubError):
    """Lists every file without a working source, and the answer of each source.

    ::

        could not download 1 file of mnist:
          train-images (9.9 MB)
            https://first.example/train-images.gz: 503 Service Unavailable, 5 tries

    The exit code is 5 instead of 4 if a source sent wrong bytes.

    Attributes:
        dataset: its name; several names are separated by commas.
        attempts: the errors of the sources of each file.
    """

    exit_code = 4

    def __init__(self, *, dataset: str, attempts: Mapping[str, Sequence[DshubError]]) -> None:
        lines = []
        for title, errors in attempts.items():
            lines += [title, *(f"  {error}" for error in errors)]
            if not errors:
                lines.append("  its manifest names no source")
        errors = [error for several in attempts.values() for error in several]
        wrong = [error for error in errors if isinstance(error, ChecksumError)]
        causes = [_compare(wrong)] if wrong else [error.hint for error in errors]
        elsewhere = f"get the files elsewhere and run `dshub import {_one(dataset)} FOLDER`"
        files = "1 file" if len(attempts) == 1 else f"{len(attempts)} files"
        super().__init__(
            f"could not download {files} of {dataset}:",
            details=lines,
            hint="; or ".join(dict.fromkeys([*causes, _USE_MIRROR, elsewhere])),
        )
        self.dataset, self.attempts = dataset, {k: tuple(v) for k, v in attempts.items()}
        self.exit_code = 5 if wrong else 4


def _one(dataset: str) -> str:
    """The dataset to show in a command that takes one: its name, or NAME for several."""
    return "NAME" if ", " in dataset else dataset


def _compare(wrong: Sequence["ChecksumError"]) -> str:
    """What to do about wrong bytes, depending on whether the sources agree."""
    actual = {error.source: error.actual for error in wrong}
    if len(actual) == 1:
        return wrong[0].hint
    if len(set(actual.values())) == 1:
        return (
            f"{len(actual)} sources send the same bytes, so upstream has changed the file: "
            "look for a newer version of the dataset"
        )
    return f"{len(actual)} sources send different bytes: try again later"


class OfflineError(FetchError):
    """`mnist is not complete in the cache, and DSHUB_OFFLINE is set`, with files and sizes."""

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
            or f"unset DSHUB_OFFLINE; or run {way}; or download the files there and run "
            f"`dshub import {_one(dataset)} FOLDER` here",
        )
        self.dataset, self.files, self.looked_in = dataset, tuple(files), tuple(looked_in)
        self.attempts = {}


class ManualStepError(FetchError):
    """`imagenet-1k has files that must be obtained by hand`, with the manifest's instructions."""

    exit_code = 7
    _shows_queries = True

    def __init__(self, *, dataset: str, files: Mapping[str, str]) -> None:
        DshubError.__init__(
            self,
            f"{dataset} has files that must be obtained by hand:",
            details=_paragraphs(files),
            hint=f"get them, then run `dshub import {_one(dataset)} FILE-OR-FOLDER…`",
        )
        self.dataset, self.files = dataset, dict(files)
        self.attempts = {}


class ChecksumError(DshubError):
    """`https://…: got 62 bytes, expected 9,912,422 bytes; it is an HTML page titled 'Sign in'`.

    Attributes:
        source: where the bytes came from.
        expected, actual: `algorithm:hex`, or a size in bytes with its unit.
        diagnosis: what the bytes look like, or empty.
        kept: where the bytes can be inspected, or empty.
    """

    exit_code = 5
    hint = "upstream may have changed the file: look for a newer version of the dataset"

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
        facts = [f"got {actual}, expected {expected}", diagnosis, f"kept as {kept}" if kept else ""]
        super().__init__(f"{shown_url(source)}: {'; '.join(filter(None, facts))}", hint=hint)
        self.source, self.expected, self.actual = source, expected, actual
        self.diagnosis, self.kept = diagnosis, kept


class UnsafeArchiveError(DshubError):
    """`emnist.zip: member '../../etc/passwd' leads out of the archive`.

    Attributes:
        archive: the file.
        member: the name in it; None if the reason concerns the whole archive.
    """

    exit_code = 5
    hint = "nothing was extracted; do not use this archive"

    def __init__(self, *, archive: str, member: str | None, reason: str, hint: str = "") -> None:
        subject = "it" if member is None else f"member {member!r}"
        super().__init__(f"{archive}: {subject} {reason}", hint=hint)
        self.archive, self.member, self.reason = archive, member, reason


class LockError(DshubError):
    """`dshub.lock is out of date: mnist@1.0.0: file images was sha256:…, and is sha256:…`.

    Attributes:
        lock: the file.
        names: the datasets that changed.
        changes: a line for each change.
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
            or f"run `dshub lock {' '.join(names)}` to pin the new state, or set DSHUB_LOCK=off to "
            "ignore the lock",
        )
        self.lock, self.names, self.changes = lock, tuple(names), tuple(changes)


class TermsError(DshubError):
    """`terms must be accepted before imagenet-1k can be downloaded`, with the terms.

    Attributes:
        terms: the text for each dataset.
    """

    exit_code = 7
    _shows_queries = True

    def __init__(self, *, terms: Mapping[str, str]) -> None:
        super().__init__(
            f"terms must be accepted before {', '.join(terms)} can be downloaded:",
            details=_paragraphs(terms),
            hint=f"run `dshub fetch {' '.join(terms)}` on a terminal and answer yes, or set "
            f"DSHUB_ACCEPT_TERMS={','.join(terms)}",
        )
        self.terms = dict(terms)


class StoreError(DshubError):
    """`cannot write /data/cache/blobs-v1: Permission denied`."""

    exit_code = 8
    hint = "check that you can write there, or set DSHUB_CACHE to another folder"

    def __init__(self, *, path: str, action: str, reason: str, hint: str = "") -> None:
        if action == "read":
            hint = hint or "check that it exists and that you have permission to read it"
        self.path, self.action, self.reason = path, action, without_secrets(reason, path)
        shown = shown_url(path) if "://" in path else path
        super().__init__(f"cannot {action} {shown}: {self.reason}", hint=hint)


class DiskFullError(StoreError):
    """`cannot write /data/cache: it needs 1.2 GB and 0.3 GB are free`."""

    hint = (
        "free some space there (`dshub cache du` shows what the cache uses), or set DSHUB_CACHE "
        "to a folder on another disk"
    )

    def __init__(self, *, path: str, reason: str = "no space left on the device") -> None:
        super().__init__(path=path, action="write", reason=reason)


class Vanished(StoreError):  # noqa: N818  # an event: `run` answers it with a retry
    """`cannot use /data/cache/blobs-v1/9f/…: another process removed it`."""

    hint = "wait for `dshub cache` to finish in the other process, then run this again"

    def __init__(self, *, path: str) -> None:
        super().__init__(path=path, action="use", reason="another process removed it")


class ReadError(DshubError):
    """`train-images: its header promises 47,040,000 bytes of data, but 1,000 follow`."""

    exit_code = 9
    hint = "check that the file is complete and has the format that its reader expects"

    def __init__(self, *, file: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{file}: {reason}", hint=hint)
        self.file, self.reason = file, reason


class SchemaError(DshubError):
    """`mnist, split train, column label, row 17: got 12, expected a label from 0 to 9`."""

    exit_code = 9
    hint = "correct the data or the manifest, or report it to the author of the manifest"

    def __init__(self, *, where: str, expected: str, got: str, hint: str = "") -> None:
        super().__init__(f"{where}: got {got}, expected {expected}", hint=hint)
        self.where, self.expected, self.got = where, expected, got


class StateError(DshubError):
    """`this state was saved with seed 1, but the loader has seed 0`."""

    hint = "build the loader with the arguments it had when the state was saved"


class MissingExtraError(DshubError, ImportError):
    """`torch is not installed` / `hint: pip install 'dshub[torch]'`."""

    def __init__(self, *, package: str, extra: str) -> None:
        missing = shown_url(package) if "://" in package else package
        super().__init__(f"{missing} is not installed", hint=f"pip install 'dshub[{extra}]'")
        self.package, self.extra = package, extra


@contextmanager
def needs(package: str, *, extra: str) -> Iterator[None]:
    """Say which extra installs a package, if an import in this block fails."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(package=package, extra=extra) from error
