"""Render pages from templates, and write the files of a site.

A page embeds its style, script, images and audio, so it works from a web server, from a folder and
as an attachment. Its content security policy allows only the embedded style and script, by
checksum. The first page also loads card images and the index of class names from separate files.
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
from dshub.datasets.rendering import cells
from dshub.errors import MissingExtraError, StoreError
from dshub.progress import size

try:
    import jinja2
except ImportError as error:
    raise MissingExtraError(package="jinja2", extra="web") from error

SITE_FOLDER = PurePosixPath("site")
PAGE = "index.html"
CARD = "card.webp"  # card image of a dataset, in the folder of the dataset's page
_HERE = Path(__file__).parent
_MARK = b'<meta name="generator" content="dshub site">'  # identifies pages; must match page.html
_MARK_WITHIN = 400  # bytes to search for the mark
_WRITING = "writing-"


def is_web_address(address: str) -> bool:
    """Return True for an HTTP or HTTPS address, which is safe to link."""
    return urlsplit(address).scheme in {"http", "https"}


def is_spdx_listed(identifier: str | None) -> bool:
    """Return True for an identifier of the SPDX license list.

    Expressions and custom licenses (`LicenseRef-…`) are not in the list. The syntax is from annex D
    of the SPDX specification.
    """
    return bool(re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.+-]+", identifier or ""))


def kind(feature: Feature) -> str:
    """Return the kind of a feature, as in a manifest."""
    return str(type(feature).__struct_config__.tag)


def csp_checksum(text: str) -> str:
    """Return a checksum for a content security policy (CSP level 3, section 2.3.1)."""
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
    """Render a template, encoded as UTF-8."""
    return TEMPLATES.get_template(template).render(content).encode("utf-8")


class Publisher:
    """Writer of a site's files.

    Args:
        target: folder of the first page.

    Attributes:
        written: new and changed files, relative to the target.
        kept: number of unchanged files.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._current: set[Path] = set()
        self.written: list[PurePosixPath] = []
        self.kept = 0

    def check(self) -> None:
        """Check that an existing `index.html` was written by dshub.

        Raises:
            StoreError: dshub did not write the page.
        """
        first = self._target / PAGE
        if first.exists() and not self._is_ours(first):
            hint = "choose an empty folder, or move the page elsewhere"
            reason = "dshub did not write this page"
            raise StoreError(path=str(first), action="replace", reason=reason, hint=hint)

    def publish(self, name: PurePosixPath, data: bytes) -> None:
        """Write a file atomically, unless its contents are unchanged.

        Raises:
            StoreError: the file cannot be written.
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
        """Remove pages and cards of unlisted datasets, and temporary files of killed processes.

        Returns:
            The removed pages and cards, relative to the target.
        """
        folder = self._target / SITE_FOLDER
        for path in [*self._target.glob(f"{_WRITING}*"), *folder.rglob(f"{_WRITING}*")]:
            if is_orphan(path):
                path.unlink(missing_ok=True)
        stale = [page for page in sorted(folder.rglob(PAGE)) if page not in self._current]
        return [name for page in stale if self._is_ours(page) for name in self._remove(page)]

    def _remove(self, page: Path) -> Iterator[PurePosixPath]:
        for path in filter(Path.is_file, (page, page.with_name(CARD))):
            with disk_faults(path, "remove"):
                path.unlink()
            yield PurePosixPath(path.relative_to(self._target).as_posix())
        for folder in (page.parent, page.parent.parent):
            with suppress(OSError):  # the folder has pages of other datasets
                folder.rmdir()

    def _is_ours(self, path: Path) -> bool:
        with disk_faults(path, "read"), path.open("rb") as file:
            return _MARK in file.read(_MARK_WITHIN)
