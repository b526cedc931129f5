"""Render pages from templates, and write them.

A page contains its style, script, images and audio, so it looks the same from a web server, from a
folder and as an attachment. Its content security policy allows only the page's own style and
script, by checksum. The first page also loads two kinds of files from its folder: images of cards,
and the words of class names.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from dshub.cache.disk import disk_faults
from dshub.cache.files import replace_file
from dshub.cache.owners import is_orphan, own_name
from dshub.catalog.features import Feature
from dshub.errors import MissingExtraError, StoreError
from dshub.progress import size
from dshub.publishing.site import cells

try:
    import jinja2
except ImportError as error:
    raise MissingExtraError(package="jinja2", extra="web") from error

BELOW = PurePosixPath("catalogue")
PAGE = "index.html"
CARD = "card.webp"  # the image of a dataset on the first page, in the folder of its own page
_HERE = Path(__file__).parent
_MARK = b'<meta name="generator" content="dshub site">'  # in every page, see page.html
_MARK_WITHIN = 400  # bytes from the beginning
_WRITING = "writing-"


def is_web_address(address: str) -> bool:
    """Whether it is safe to link an address of a manifest: no scripts."""
    return urlsplit(address).scheme in {"http", "https"}


def is_spdx_listed(identifier: str | None) -> bool:
    """Whether a license is one of the SPDX list, rather than an expression or a license of its own.

    Source: annex D of the SPDX specification.
    """
    return bool(re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.+-]+", identifier or ""))


def kind(feature: Feature) -> str:
    """The kind of a feature as in a manifest."""
    return str(type(feature).__struct_config__.tag)


def csp_checksum(text: str) -> str:
    """A checksum as in a content security policy (CSP level 3, section 2.3.1)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals |= {
    "style": (_HERE / "assets" / "site.css").read_text(encoding="utf-8"),
    "script": (_HERE / "assets" / "site.js").read_text(encoding="utf-8"),
}
TEMPLATES.filters |= {
    "bytes": size,
    "csp_checksum": csp_checksum,
    "items": cells.items,
    "kind": kind,
    "number": "{:,}".format,
    "waveform": cells.waveform,
    "words": cells.words,
}
TEMPLATES.tests |= {"spdx_listed": is_spdx_listed, "web_address": is_web_address}


def render(template: str, **content: object) -> bytes:
    """Render a template as UTF-8."""
    return TEMPLATES.get_template(template).render(content).encode("utf-8")


class Publisher:
    """Write the files of a site.

    Args:
        target: the folder of the first page.

    Attributes:
        written: files that changed, relative to the target, in order.
        kept: the number of files that did not change.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._current: set[Path] = set()
        self.written: list[PurePosixPath] = []
        self.kept = 0

    def check(self) -> None:
        """Raise StoreError if the target has an `index.html` that dshub did not write."""
        first = self._target / PAGE
        if first.exists() and not self._is_ours(first):
            hint = "choose an empty folder, or move that page away"
            reason = "it is not a page that dshub wrote"
            raise StoreError(path=str(first), action="replace", reason=reason, hint=hint)

    def publish(self, name: PurePosixPath, data: bytes) -> None:
        """Write a file by rename, unless it has these bytes already.

        Raises:
            StoreError: the folder cannot be written.
        """
        path = self._target / name
        self._current.add(path)
        with disk_faults(path, "write"):
            if path.is_file() and path.read_bytes() == data:
                self.kept += 1
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = own_name(f"{_WRITING}{path.name.replace('.', '-')}")
            replace_file(path, data, path.with_name(temporary))
        self.written.append(name)

    def sweep(self) -> list[PurePosixPath]:
        """Remove pages that this run did not publish, their cards, and files of killed runs.

        Returns:
            The pages and cards removed, relative to the target.
        """
        below = self._target / BELOW
        for path in [*self._target.glob(f"{_WRITING}*"), *below.rglob(f"{_WRITING}*")]:
            if is_orphan(path):
                path.unlink(missing_ok=True)
        stale = [page for page in sorted(below.rglob(PAGE)) if page not in self._current]
        return [name for page in stale if self._is_ours(page) for name in self._remove(page)]

    def _remove(self, page: Path) -> Iterator[PurePosixPath]:
        for path in filter(Path.is_file, (page, page.with_name(CARD))):
            with disk_faults(path, "remove"):
                path.unlink()
            yield PurePosixPath(path.relative_to(self._target).as_posix())
        for folder in (page.parent, page.parent.parent):
            with suppress(OSError):  # not empty: other members of a family
                folder.rmdir()

    def _is_ours(self, path: Path) -> bool:
        with disk_faults(path, "read"), path.open("rb") as file:
            return _MARK in file.read(_MARK_WITHIN)
