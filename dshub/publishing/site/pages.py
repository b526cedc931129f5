"""Render pages and write them.

From what a page shows to its bytes: templates, one style and one script, all within the page.

A page asks for nothing: style, script, pictures and recordings stand in it, so it looks the same
from a web server, from a folder and as an attachment. Its content security policy names the
checksums of its style and script, and nothing else runs. The first page alone asks for two kinds
of files, which lie beside it: pictures of cards, and the words of class names.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from dshub.cache.disk import disk_faults
from dshub.cache.files import replace_file
from dshub.cache.owners import is_orphan, own_name
from dshub.errors import MissingExtraError, StoreError
from dshub.progress import size

try:
    import jinja2
except ImportError as error:
    raise MissingExtraError(package="jinja2", extra="web") from error

GENERATOR = "dshub site"  # by which a page is known as one of ours

_HERE = Path(__file__).parent


class Pages:
    """Makes pages.

    Args:
        title: of the whole catalogue, on every page.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"bytes": size, "linkable": linkable}

    @cached_property
    def _style(self) -> str:
        return (_HERE / "assets" / "catalogue.css").read_text(encoding="utf-8")

    @cached_property
    def _script(self) -> str:
        return (_HERE / "assets" / "catalogue.js").read_text(encoding="utf-8")

    def page(self, template: str, *, root: str, beside: bool = False, **content: Any) -> bytes:
        """The bytes of a page, UTF-8.

        Args:
            template: name of its file.
            root: the address of the first page's folder, from this one: empty or `../../`.
            beside: whether it may ask for files that lie beside it.
            **content: what the template shows.
        """
        rendered = self._environment.get_template(template).render(
            generator=GENERATOR,
            policy=self._policy(beside=beside),
            style=self._style,
            script=self._script,
            site_title=self._title,
            root=root,
            **content,
        )
        return rendered.encode("utf-8")

    def _policy(self, *, beside: bool) -> str:
        """The content security policy: `file:` is what `'self'` means for a page in a folder."""
        here = " 'self' file:" if beside else ""
        return "; ".join(
            [
                "default-src 'none'",
                f"script-src {_checksum(self._script)}{here}",
                f"style-src {_checksum(self._style)}",
                f"img-src data:{here}",
                "media-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        )


def _checksum(text: str) -> str:
    """A text's checksum as a content security policy writes it (CSP level 3, section 2.3.1)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def linkable(address: str) -> bool:
    """Whether an address that a manifest names may be followed: the web's, and no script."""
    return urlsplit(address).scheme in {"http", "https"}


BELOW = PurePosixPath("catalogue")
PAGE = "index.html"
CARD = "card.webp"  # beside a dataset's page: what the first page shows of it

_WRITING = "writing-"
_BEGINNING = 400  # bytes of a page in which its generator stands


class Publisher:
    """Writes the files of a catalogue.

    Args:
        target: the folder of the first page; made where it is missing.
        generator: what pages of ours say of it.

    Attributes:
        written: the files that changed, relative to the target, in order.
        kept: how many had the same bytes before.
    """

    def __init__(self, target: Path, generator: str) -> None:
        self._target = target
        self._mark = f'<meta name="generator" content="{generator}">'.encode()
        self.written: list[PurePosixPath] = []
        self.kept = 0

    def check(self) -> None:
        """Raise StoreError where the first page's place is taken by somebody else's."""
        first = self._target / PAGE
        if first.exists() and not self._is_ours(first):
            hint = "choose an empty folder, or move that page away"
            reason = "it is not a page that dshub wrote"
            raise StoreError(path=str(first), action="replace", reason=reason, hint=hint)

    def publish(self, name: PurePosixPath, data: bytes) -> None:
        """Write a file by rename, if its bytes are other ones than those that are there.

        Raises:
            StoreError: the folder cannot be written.
        """
        path = self._target / name
        with disk_faults(path, "write"):
            if path.is_file() and path.read_bytes() == data:
                self.kept += 1
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data, path.parent / own_name(_stem(path)))
        self.written.append(name)

    def sweep(self, wanted: Iterable[PurePosixPath]) -> list[PurePosixPath]:
        """Remove pages of ours, with the cards beside them, that are not among those wanted.

        What was left by runs that were killed goes too.

        Returns:
            What was removed, sorted.
        """
        keep, below = {self._target / name for name in wanted}, self._target / BELOW
        removed = []
        for left in [*self._target.glob(f"{_WRITING}*"), *below.rglob(f"{_WRITING}*")]:
            if is_orphan(left):
                left.unlink(missing_ok=True)
        for page in sorted(below.rglob(PAGE)):
            if page in keep or not self._is_ours(page):
                continue
            removed += list(self._removed(page, keep))
        return removed

    def _removed(self, page: Path, keep: set[Path]) -> Iterator[PurePosixPath]:
        for path in (page, page.with_name(CARD)):
            if path.is_file() and path not in keep:
                with disk_faults(path, "remove"):
                    path.unlink()
                yield PurePosixPath(path.relative_to(self._target).as_posix())
        for folder in (page.parent, page.parent.parent):
            with suppress(OSError):  # a family of which other members are there
                folder.rmdir()

    def _is_ours(self, path: Path) -> bool:
        with disk_faults(path, "read"), path.open("rb") as file:
            return self._mark in file.read(_BEGINNING)


def _stem(path: Path) -> str:
    """A name for what is being written, without the dots that end a stem."""
    return f"{_WRITING}{path.name.replace('.', '-')}"
