"""Every exception that dshub raises on purpose.

::

    DshubError                 1   the root: catch this one
    ├── SettingsError          2   a setting has a value that cannot be used
    ├── ArgumentError          2   an argument that cannot be                   (a ValueError)
    ├── SplitError             3   a split expression that cannot be read
    ├── UnknownNameError       3   no such dataset, split, column, plug-in      (a KeyError)
    ├── ManifestError          1   a manifest with faults, all of them listed
    ├── TransportError         4   one source did not deliver
    ├── FetchError             4   every source of a file failed (5 if bytes came, but wrong ones)
    │   ├── OfflineError       6   not in the cache, and going online is forbidden
    │   └── ManualStepError    7   a person must obtain the file
    ├── TermsError             7   terms that a person must accept first
    ├── ChecksumError          5   bytes that are not the published ones
    ├── UnsafeArchiveError     5   an archive member that must not be touched
    ├── LockError              5   what dshub.lock pins has changed
    ├── StoreError             8   the cache cannot be read or written
    │   ├── DiskFullError      8   no space for what is about to be written
    │   └── Vanished           8   another process removed a file of the cache
    ├── ReadError              9   a file that is not what its format promises
    ├── SchemaError            9   data that do not fit their manifest
    ├── StateError             1   a saved loader state that fits another loader
    └── MissingExtraError      1   an optional package is not installed         (an ImportError)

The number is the exit code of the command line. Facts go in as keywords and stay available as
attributes; the wording lives here. `hint` is the next step, shown on a line of its own.
A message holds no password, no value of a query and no terminal command, whatever goes into it;
its first line is one line, and each of its `details` is one more, indented.
A plain `IndexError`, `ValueError` or `TypeError` remains right where Python has a habit of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dshub.display import one_line, redacted, shown_url, shown_value, without_secrets

__all__ = [
    "ArgumentError",
    "ChecksumError",
    "DiskFullError",
    "DshubError",
    "FetchError",
    "LockError",
    "ManifestError",
    "ManualStepError",
    "MissingExtraError",
    "OfflineError",
    "ReadError",
    "SchemaError",
    "SettingsError",
    "SplitError",
    "StateError",
    "StoreError",
    "TermsError",
    "TransportError",
    "UnknownNameError",
    "UnsafeArchiveError",
    "Vanished",
]


class DshubError(Exception):
    """The root of the tree. `str(error)` says what happened; `error.hint` what to do next.

    The hint is also a note of the exception, so that a traceback ends with it.
    """

    exit_code: int = 1
    hint: str = ""
    _shows_queries = False  # of addresses in the message: where a person has to follow them

    def __init__(self, message: str, *, details: Iterable[str] = (), hint: str = "") -> None:
        first, *others = (self._shown(text) for text in (message, *details))
        super().__init__("\n  ".join([first, *others]))
        self.hint = self._shown(hint or self.hint)
        if self.hint:
            self.add_note(f"hint: {self.hint}")

    def _shown(self, text: str) -> str:
        return one_line(redacted(text, queries=not self._shows_queries))

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross from worker processes as they are, whatever their arguments were."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[DshubError], args: tuple[Any, ...], facts: dict[str, Any]) -> DshubError:
    """An error as it was before it was pickled."""
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    error.__dict__.update(facts)
    return error


def _paragraphs(texts: Mapping[str, str]) -> Iterator[str]:
    """The lines of some titled texts, each below its title."""
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

    It is a `ValueError` and a `TypeError` at once, because which of the two a wrong value is in
    Python differs from function to function, and a caller should not have to know.
    """

    exit_code = 2

    def __init__(self, *, name: str, value: object, expected: str, hint: str = "") -> None:
        super().__init__(f"{name} is {shown_value(value)}; it must be {expected}", hint=hint)
        self.name, self.value, self.expected = name, value, expected


class SplitError(DshubError):
    """`cannot read the split 'train[:10': a '[' without its ']'`."""

    exit_code = 3
    hint = "write splits as train, train[:1000], train[10%:20%] or train+test"

    def __init__(self, *, expression: str, reason: str) -> None:
        super().__init__(f"cannot read the split {shown_value(expression)}: {reason}")
        self.expression, self.reason = expression, reason


class UnknownNameError(DshubError, KeyError):
    """`there is no dataset named 'mnits'` / `hint: did you mean mnist?`.

    Attributes:
        close: the names that were probably meant; found among `known` where not given.
        known: the names that there are.
    """

    exit_code = 3

    def __init__(  # facts, all by keyword
        self,
        *,
        kind: str,
        name: str,
        close: Sequence[str] | None = None,
        known: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        close = _closest(name, known) if close is None else close
        meant = f"did you mean {' or '.join(close)}?" if close else ""
        others = "; ".join(filter(None, [f"known: {', '.join(known)}" if known else "", hint]))
        told = " ".join(filter(None, [meant, others]))
        super().__init__(f"there is no {kind} named {name!r}", hint=told)
        self.kind, self.name, self.close, self.known = kind, name, tuple(close), tuple(known)

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError's own would put it in quotes


def _closest(name: object, known: Sequence[str]) -> list[str]:
    """The name most like one that is not known, in a list of one; empty where none is."""
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

    hint = "`dshub check FILE` shows this list again after an edit"

    def __init__(self, *, source: str, faults: Sequence[object]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{source} has {count}:", details=map(str, faults))
        self.source, self.faults = source, tuple(faults)


class TransportError(DshubError):
    """`https://host/file.gz: 503 Service Unavailable`.

    Attributes:
        transient: whether trying the same source again may help.
        unreachable: whether the host itself could not be reached (name lookup, connection).
        retry_after: seconds the server asked us to wait, or None.
        absent: whether the source answered that it has no such file.
    """

    exit_code = 4
    hint = "try again later, or name a mirror in DSHUB_MIRROR"

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
        self.url, self.absent = url, absent
        self.reason = one_line(without_secrets(reason, url))
        super().__init__(f"{shown_url(url)}: {self.reason}")
        self.transient, self.unreachable, self.retry_after = transient, unreachable, retry_after


class FetchError(DshubError):
    """Names every file that has no working source, and what each source answered.

    ::

        could not fetch mnist: no source worked for 1 of its files
          train-images (9.9 MB)
            https://first.example/train-images.gz: 503 Service Unavailable, 5 tries

    The exit code is 5 instead of 4 where a source delivered bytes, but not the published ones.

    Attributes:
        dataset: its name; of several the names, with commas between.
        attempts: what the sources of each file answered.
    """

    exit_code = 4

    def __init__(self, *, dataset: str, attempts: Mapping[str, Sequence[DshubError]]) -> None:
        lines = []
        for title, errors in attempts.items():
            lines.append(title)
            lines.extend(f"  {error}" for error in errors)
            if not errors:
                lines.append("  it names no source")
        files = "1 of its files" if len(attempts) == 1 else f"{len(attempts)} of its files"
        flat = [error for errors in attempts.values() for error in errors]
        wrong = [error for error in flat if isinstance(error, ChecksumError)]
        first = _judged(wrong) if wrong else "check the connection"
        super().__init__(
            f"could not fetch {dataset}: no source worked for {files}",
            details=lines,
            hint=f"{first}; or name a mirror in DSHUB_MIRROR; or download the files on a machine "
            f"that can, and `dshub import {_one(dataset)} FOLDER` here",
        )
        self.dataset, self.attempts = dataset, {k: tuple(v) for k, v in attempts.items()}
        self.exit_code = 5 if wrong else 4


def _one(dataset: str) -> str:
    """The dataset to write in a command that takes one: its name, or NAME where there are more."""
    return "NAME" if ", " in dataset else dataset


def _judged(wrong: Sequence["ChecksumError"]) -> str:
    """What to do about wrong bytes, by whether the sources have the same ones."""
    found = {error.source: error.actual for error in wrong}
    if len(found) < 2:
        return wrong[0].hint
    if len(set(found.values())) == 1:
        return (
            f"{len(found)} sources have the same bytes, other than the published ones: upstream "
            "has changed the file, and the dataset needs a new version of its manifest"
        )
    return f"{len(found)} sources differ from one another: each may be damaged in a way of its own"


class OfflineError(FetchError):
    """`mnist is not complete in the cache, and DSHUB_OFFLINE is set`, with files and sizes."""

    exit_code = 6

    def __init__(
        self, *, dataset: str, files: Sequence[str], looked_in: Sequence[str], hint: str = ""
    ) -> None:
        places = ", ".join(looked_in)
        DshubError.__init__(
            self,
            f"{dataset} {'are' if ', ' in dataset else 'is'} not complete in the cache "
            f"({places}), and DSHUB_OFFLINE forbids to fetch:",
            details=files,
            hint=hint
            or f"run `dshub fetch {dataset.replace(',', '')}` on a connected machine and bring "
            f"its cache, or download the files there and `dshub import {_one(dataset)} FOLDER` "
            "here",
        )
        self.dataset, self.files, self.looked_in = dataset, tuple(files), tuple(looked_in)
        self.attempts = {}


class ManualStepError(FetchError):
    """`imagenet-1k must be obtained by hand`, with the instructions of its manifest."""

    exit_code = 7
    _shows_queries = True

    def __init__(self, *, dataset: str, files: Mapping[str, str]) -> None:
        DshubError.__init__(
            self,
            f"{dataset} has files that a person must obtain:",
            details=_paragraphs(files),
            hint=f"then run `dshub import {_one(dataset)} FILE-OR-FOLDER…`",
        )
        self.dataset, self.files = dataset, dict(files)
        self.attempts = {}


class ChecksumError(DshubError):
    """`https://…: got 62 bytes, expected 9,912,422 bytes; it is an HTML page titled 'Sign in'`.

    Attributes:
        source: where the bytes came from.
        expected, actual: `algorithm:hex` or a size in bytes with its unit.
        told: what the bytes seem to be; empty where nothing can be told.
        kept: where the bytes can be looked at; empty where they are not kept.
    """

    exit_code = 5
    hint = "the source does not serve the published file"

    def __init__(  # facts, all by keyword
        self,
        *,
        source: str,
        expected: str,
        actual: str,
        told: str = "",
        kept: str = "",
        hint: str = "",
    ) -> None:
        facts = [f"got {actual}, expected {expected}", told, f"kept as {kept}" if kept else ""]
        super().__init__(f"{shown_url(source)}: {'; '.join(filter(None, facts))}", hint=hint)
        self.source, self.expected, self.actual = source, expected, actual
        self.told, self.kept = told, kept


class UnsafeArchiveError(DshubError):
    """`emnist.zip: member '../../etc/passwd' leads out of the archive`.

    Attributes:
        archive: the file.
        member: the name in it; None where the reason is about the archive as a whole.
    """

    exit_code = 5
    hint = "nothing was written; do not use this archive"

    def __init__(self, *, archive: str, member: str | None, reason: str, hint: str = "") -> None:
        subject = "it" if member is None else f"member {member!r}"
        super().__init__(f"{archive}: {subject} {reason}", hint=hint)
        self.archive, self.member, self.reason = archive, member, reason


class LockError(DshubError):
    """`dshub.lock does not hold: mnist@1.0.0: file images was sha256:…, and is sha256:…`.

    Attributes:
        lock: the file.
        names: the datasets that have changed.
        changes: what has changed, a line each.
    """

    exit_code = 5

    def __init__(
        self, *, lock: str, names: Sequence[str], changes: Sequence[str], hint: str = ""
    ) -> None:
        only = f" {changes[0]}" if len(changes) == 1 else ""
        super().__init__(
            f"{lock} does not hold:{only}",
            details=() if only else changes,
            hint=hint
            or f"`dshub lock {' '.join(names)}` pins what there is now; DSHUB_LOCK=off ignores "
            "the lock",
        )
        self.lock, self.names, self.changes = lock, tuple(names), tuple(changes)


class TermsError(DshubError):
    """`imagenet-1k is given out under terms that have to be accepted first`, with the terms.

    Attributes:
        terms: the words of each dataset.
    """

    exit_code = 7
    _shows_queries = True

    def __init__(self, *, terms: Mapping[str, str]) -> None:
        names = ", ".join(terms)
        super().__init__(
            f"terms have to be accepted before {names} can be fetched:",
            details=_paragraphs(terms),
            hint=f"`dshub fetch {' '.join(terms)}` on a terminal asks; where nobody can answer, "
            f"set DSHUB_ACCEPT_TERMS={','.join(terms)}",
        )
        self.terms = dict(terms)


class StoreError(DshubError):
    """`cannot write /data/cache/blobs-v1: Permission denied`."""

    exit_code = 8
    hint = "ask for permission there, or choose another folder; DSHUB_CACHE names that of the cache"

    def __init__(self, *, path: str, action: str, reason: str, hint: str = "") -> None:
        self.path, self.action, self.reason = path, action, without_secrets(reason, path)
        shown = shown_url(path) if "://" in path else path
        super().__init__(f"cannot {action} {shown}: {self.reason}", hint=hint)


class DiskFullError(StoreError):
    """`cannot write /data/cache: it needs 1.2 GB and 0.3 GB are free`."""

    hint = (
        "make space there (`dshub cache ls` shows what is in the cache), or choose another folder; "
        "DSHUB_CACHE names that of the cache"
    )

    def __init__(self, *, path: str, reason: str = "no space left on the device") -> None:
        super().__init__(path=path, action="write", reason=reason)


class Vanished(StoreError):  # noqa: N818  # an event that `run` answers by another try
    """`cannot use /data/cache/blobs-v1/9f/…: another process removed it meanwhile`."""

    hint = "is `dshub cache` running? once it has ended, run this again"

    def __init__(self, *, path: str) -> None:
        super().__init__(path=path, action="use", reason="another process removed it meanwhile")


class ReadError(DshubError):
    """`train-images: its header promises 47,040,000 bytes of data, but 1,000 follow`."""

    exit_code = 9
    hint = "the file is damaged or of another format than its manifest says"

    def __init__(self, *, file: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{file}: {reason}", hint=hint)
        self.file, self.reason = file, reason


class SchemaError(DshubError):
    """`mnist, split train, column label, row 17: got 12, expected a label from 0 to 9`."""

    exit_code = 9
    hint = "the data and their manifest disagree; nothing was kept"

    def __init__(self, *, where: str, expected: str, got: str, hint: str = "") -> None:
        super().__init__(f"{where}: got {got}, expected {expected}", hint=hint)
        self.where, self.expected, self.got = where, expected, got


class StateError(DshubError):
    """`this state was saved with seed 1, but the loader has seed 0`."""

    hint = "build the loader as it was when the state was saved"


class MissingExtraError(DshubError, ImportError):
    """`torch is not installed` / `hint: pip install 'dshub[torch]'`."""

    def __init__(self, *, package: str, extra: str) -> None:
        missing = shown_url(package) if "://" in package else package
        super().__init__(f"{missing} is not installed", hint=f"pip install 'dshub[{extra}]'")
        self.package, self.extra = package, extra
