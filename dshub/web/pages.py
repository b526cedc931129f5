"""From what a page shows to its bytes: templates, one style and one script, all within the page.

A page asks for nothing: style, script, pictures and recordings stand in it, so it looks the same
from a web server, from a folder and as an attachment. Its content security policy names the
checksums of its style and script, and nothing else runs. The first page alone asks for two kinds
of files, which lie beside it: pictures of cards, and the words of class names.
"""

import base64
import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dshub.errors import MissingExtraError
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
