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

_SECONDS = 30  # timeout per document; hostile references can take exponential time
_MOST, _LONGEST = 20, 500  # maximum errors of mlcroissant to show, and characters per error


class Note(NamedTuple):
    """Remark on a part of a document that is missing or cannot be imported.

    Attributes:
        id: `@id` of the node; empty for the whole dataset.
        message: description of the problem.
    """

    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.id}: {self.message}" if self.id else self.message


def load(document: Any, source: str) -> "Metadata":
    """Read and validate the metadata of a document.

    Raises:
        ManifestError: mlcroissant rejects the document, or its `@context` is at a URL.
        MissingExtraError: mlcroissant is not installed.
    """
    try:
        import mlcroissant
    except ImportError as error:
        raise MissingExtraError(package="mlcroissant", extra="croissant") from error
    logging.getLogger("absl").setLevel(logging.ERROR)  # mlcroissant warns of other @contexts
    if not isinstance(document, dict):
        raise croissant_error(source, "it is not a JSON object")
    if _has_remote_context(document):
        raise croissant_error(
            source, "its @context is at a URL; copy the context into the document"
        )
    terms = document.get("@context")  # copied below, because mlcroissant modifies it
    copied = document | {"@context": dict(terms) if isinstance(terms, dict) else {}}
    context = mlcroissant.Context()
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(mlcroissant.Metadata.from_json(ctx=context, json_=copied))
        except Exception as error:  # noqa: BLE001  # a hostile document can raise any exception
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)  # does not block the exit of Python
    thread.start()
    thread.join(_SECONDS)
    if not outcome:
        raise croissant_error(
            source, f"mlcroissant did not finish reading it within {_SECONDS} seconds"
        )
    if isinstance(outcome[0], Exception):
        raise croissant_error(source, *_problems(outcome[0], context)) from None
    return outcome[0]


def croissant_error(source: str, *problems: str) -> ManifestError:
    """Return the error for a document that cannot be imported."""
    hint = "correct the Croissant document, then import it again"
    faults = [Fault("", problem) for problem in problems]
    return ManifestError(source=source, faults=faults, hint=hint)


def _has_remote_context(document: Any) -> bool:
    """Return whether an `@context` or `@import` at any depth is or contains a URL."""
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
    """Return the errors that mlcroissant reports, or the exception it raised."""
    if isinstance(error, RecursionError):
        return ["it is nested too deeply, refers to itself, or has an empty object"]
    problems = sorted(context.issues.errors)[:_MOST]
    problems = problems or [f"mlcroissant cannot read it: {type(error).__name__}: {error}"]
    return [" ".join(problem.split())[:_LONGEST] for problem in problems]


def custom_term(node: "Node", term: str) -> Any:
    """Return the JSON value of a dshub term; None if it is missing or invalid."""
    value = node.extra_properties.get(term.replace("dshub:", "urn:x-dshub:"))
    try:
        return json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def text_of(value: Any) -> str:
    """Return a string, in English if it is translated; empty for other values."""
    if isinstance(value, dict):
        value = value.get("en", next(iter(value.values()), ""))
    return value if isinstance(value, str) else ""


def term(uri: str) -> str:
    """Return the last part of an identifier, such as `label` for `train/label`."""
    return re.split(r"[/#]", uri.rstrip("/#"))[-1]


def key_of(title: str, taken: Container[str] = ()) -> str:
    """Turn a title into a manifest key that is not in `taken`."""
    name = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-_") or "unnamed"
    return unused(name, taken, "-")
