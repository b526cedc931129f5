"""Read Croissant documents with mlcroissant, without any request."""

import json
import logging
import re
import threading
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dshub.catalog.checks import unused
from dshub.catalog.faults import Fault
from dshub.errors import ManifestError, MissingExtraError

if TYPE_CHECKING:
    from mlcroissant import Context, Metadata, Node

_SECONDS = 30  # for one document; references within it can make the work exponential
_MOST, _LONGEST = 20, 500  # errors of mlcroissant that are shown, and characters of each


def load(document: Any, source: str) -> "Metadata":
    """The metadata of a document, validated.

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
    if any(map(_is_remote, _contexts(document))):
        raise refused(source, "its @context is at a URL; put the terms into the document")
    context = mlcroissant.Context()
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(mlcroissant.Metadata.from_json(ctx=context, json_=_copied(document)))
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


def _copied(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a context of its own, which mlcroissant changes."""
    context = document.get("@context")
    return document | {"@context": dict(context) if isinstance(context, dict) else {}}


def _contexts(document: Any) -> Iterator[Any]:
    """The values under every `@context` and `@import`, at any depth."""
    values = [document]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            yield from (value[key] for key in ("@context", "@import") if key in value)
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)


def _is_remote(context: Any) -> bool:
    """Whether a context is, or lists, an address."""
    listed = context if isinstance(context, list) else [context]
    return any(isinstance(item, str) for item in listed)


def _problems(error: Exception, context: "Context") -> list[str]:
    """The errors that mlcroissant lists, or the exception it failed with."""
    if isinstance(error, RecursionError):
        return ["it is nested too deeply, refers to itself, or has an empty object"]
    problems = sorted(context.issues.errors)[:_MOST]
    problems = problems or [f"mlcroissant cannot read it: {type(error).__name__}: {error}"]
    return [" ".join(problem.split())[:_LONGEST] for problem in problems]


def own(node: "Node", term: str) -> dict[str, Any]:
    """The value of a term of ours, such as `dshub:split`; empty where there is none."""
    value = node.extra_properties.get(term.replace("dshub:", "urn:x-dshub:"))
    try:
        content = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def plain(value: Any) -> str:
    """A text; of several languages English or the first. Or empty."""
    if isinstance(value, dict):
        value = value.get("en", next(iter(value.values()), ""))
    return value if isinstance(value, str) else ""


def term(uri: str) -> str:
    """The last part of an identifier: `label` of `train/label`, `Text` of a data type."""
    return re.split(r"[/#]", uri.rstrip("/#"))[-1]


def key_of(title: str, taken: Container[str] = ()) -> str:
    """A key for a manifest, made of a title; another one where it is taken."""
    name = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-_") or "unnamed"
    return unused(name, taken, "-")


@dataclass(frozen=True)
class Note:
    """Something in a Croissant document that the manifest lacks or states differently.

    Attributes:
        id: the `@id` of the thing; empty for the dataset as a whole.
        message: what it is about.
    """

    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.id}: {self.message}" if self.id else self.message
