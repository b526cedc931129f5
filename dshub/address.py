"""Addresses: paths of this machine, and URLs."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dshub.display import shown_url


@dataclass(frozen=True)
class Address:
    """A path, or a URL. `str` shows it without passwords.

    Attributes:
        text: as it is opened.
    """

    text: str

    def __str__(self) -> str:
        return shown_url(self.text)

    @property
    def is_url(self) -> bool:
        """Whether it has a scheme, so that names in it are quoted."""
        return "://" in self.text or self._is_file_url

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: a path, or a `file:` URL."""
        return "://" not in self.text or self._is_file_url

    @property
    def _is_file_url(self) -> bool:
        return self.text[:5].lower() == "file:"

    @property
    def path(self) -> Path:
        """The path that a local address means."""
        if not self._is_file_url:
            return Path(self.text)
        from urllib.request import url2pathname  # imports half of the network

        return Path(url2pathname(urlsplit(self.text).path))

    def join(self, relative: object) -> str:
        """The text of an address below this one."""
        return f"{self.text.rstrip('/')}/{relative}"
