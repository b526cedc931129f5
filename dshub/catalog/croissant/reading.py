"""Read Croissant documents with mlcroissant, without any network request."""

import json
import logging
import re
import threading
from collections.abc import Container
from typing import TYPE_CHECKING, Any, NamedTuple

from dshub.catalog.checks import unused
from dshub.catalog.faults import Fault
from dshub.errors import ManifestError, MissingExtraError

if TYPE_CHECKING:
    from mlcroissant import Context, Metadata, Node

_SECONDS = 30  # for one document; references within it can make the work exponential
_MOST, _LONGEST = 20, 500  # errors of mlcroissant that are shown, and characters of each


class Note(NamedTuple):
    """Something in a document that the manifest lacks or states differently.

    Attributes:
        id: the `@id` of the node; empty for the dataset as a whole.
        message: the problem.
    """

    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.id}: {self.message}" if self.id else self.message


def load(document: Any, source: str) -> "Metadata":
    """Read and validate the metadata of a document.

    Raises:
        ManifestError: mlcroissant refuses it, or it refers to a context elsewhere.
        MissingExtraError: mlcroissant is not installed.
    """
    try:
        import mlcroissant
    except ImportError as error:
        raise MissingExtraError(package="mlcroissant", extra="croissant") from error
    logging.getLogger("absl").setLevel(logging.ERROR)  # it warns of every @context but its own
    if not isinstance(document, dict):
        raise refused(source, "it is not a JSON object")
    if _has_remote_context(document):
        raise refused(source, "its @context is at a URL; put the terms into the document")
    terms = document.get("@context")  # mlcroissant changes it
    copied = document | {"@context": dict(terms) if isinstance(terms, dict) else {}}
    context = mlcroissant.Context()
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(mlcroissant.Metadata.from_json(ctx=context, json_=copied))
        except Exception as error:  # noqa: BLE001  # a hostile document can raise any of them
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)  # a daemon: Python's exit ends it
    thread.start()
    thread.join(_SECONDS)
    if not outcome:
        raise refused(source, f"mlcroissant did not finish reading it within {_SECONDS} seconds")
    if isinstance(outcome[0], Exception):
        raise refused(source, *_problems(outcome[0], context)) from None
    return outcome[0]


def refused(source: str, *problems: str) -> ManifestError:
    """The error for a document that cannot be imported."""
    hint = "correct the Croissant document, then import it again"
    faults = [Fault("", problem) for problem in problems]
    return ManifestError(source=source, faults=faults, hint=hint)


def _has_remote_context(document: Any) -> bool:
    """True if an `@context` or `@import` at any depth is, or lists, an address."""
    values = [document]
    while values:
        value = values.pop()
        if isinstance(value, list):
            values += value
        elif isinstance(value, dict):
            values += value.values()
            contexts = [value.get("@context"), value.get("@import")]
            listed = [entry for item in contexts if isinstance(item, list) for entry in item]
            if any(isinstance(item, str) for item in [*contexts, *listed]):
                return True
    return False


def _problems(error: Exception, context: "Context") -> list[str]:
    """The errors that mlcroissant lists, or the exception it failed with."""
    if isinstance(error, RecursionError):
        return ["it is nested too deeply, refers to itself, or has an empty object"]
    problems = sorted(context.issues.errors)[:_MOST]
    problems = problems or [f"mlcroissant cannot read it: {type(error).__name__}: {error}"]
    return [" ".join(problem.split())[:_LONGEST] for problem in problems]


def own(node: "Node", term: str) -> Any:
    """The JSON under a term of ours; None if there is none."""
    value = node.extra_properties.get(term.replace("dshub:", "urn:x-dshub:"))
    try:
        return json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def plain(value: Any) -> str:
    """A text; of several languages, English or the first. Empty for other values."""
    if isinstance(value, dict):
        value = value.get("en", next(iter(value.values()), ""))
    return value if isinstance(value, str) else ""


def term(uri: str) -> str:
    """The last part of an identifier: `label` of `train/label`, `Text` of a data type."""
    return re.split(r"[/#]", uri.rstrip("/#"))[-1]


def key_of(title: str, taken: Container[str] = ()) -> str:
    """A key of a manifest for a title, distinct from those taken."""
    name = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-_") or "unnamed"
    return unused(name, taken, "-")
