"""Signatures of an index: Ed25519 (RFC 8032), keys in PEM as `openssl` writes them.

::

    openssl genpkey -algorithm ed25519 -out private.pem
    openssl pkey -in private.pem -pubout -out public.pem

What is signed is a line `dshub index 2 SERIAL DATE`, with the `serial` and `date` of `index.json`,
followed by the bytes of the value of `datasets` as they stand there. An index of an older dshub has
neither serial nor date, and its line is `dshub index 1`. Signatures stand in the same file, in
base64, so that all change at once.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dshub.errors import ChecksumError, MissingExtraError, SettingsError
from dshub.mirrors.index import Index

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

RENEWED = timedelta(days=1)  # after which an index that has not changed gets a new date
HOW = "made by `openssl genpkey -algorithm ed25519`"


class Signer:
    """Signs indexes with one private key.

    Args:
        path: the key, in PEM and without a pass phrase.

    Raises:
        SettingsError: there is no such key in the file.
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._key = _private_key(path)

    def sign(self, index: Index, *, before: Index | None = None) -> Index:
        """The same index with a date, a serial number, and this signature alone.

        Args:
            index: what is to be listed.
            before: the index that it replaces. It is returned where it lists the same, is signed
                by this key, and is not yet a day old.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        serial = int(now.strftime("%Y%m%d%H%M%S"))  # above those of an index that was removed
        if before is not None and before.date is not None and self.signed(before):
            if index.body == before.body and before.date <= now < before.date + RENEWED:
                return before
            serial = before.serial + 1
        index = msgspec.structs.replace(index, serial=serial, date=now)
        signature = base64.b64encode(self._key.sign(index.signed_bytes)).decode("ascii")
        return msgspec.structs.replace(index, signatures=(signature,))

    def signed(self, index: Index) -> bool:
        """Whether an index bears a signature of this key."""
        return _fits(index, self._key.public_key())


def check_signature(index: Index, keys: Sequence[Path], *, source: str) -> None:
    """Make sure that one of some keys has signed an index; with no keys, nothing is asked.

    Raises:
        ChecksumError: none has.
        SettingsError: a file holds no public key.
        MissingExtraError: `cryptography` is not installed.
    """
    if not keys or any(_fits(index, _public_key(path)) for path in keys):
        return
    names = " or ".join(str(path) for path in keys)
    raise ChecksumError(
        source=source,
        expected=f"a signature by {names}",
        actual="a signature by another key" if index.signatures else "no signature",
        hint="ask whoever keeps the mirror; DSHUB_MIRROR_KEYS says whose signature is wanted",
    )


def _fits(index: Index, key: "Ed25519PublicKey") -> bool:
    from cryptography.exceptions import InvalidSignature

    for text in index.signatures:
        try:
            key.verify(base64.b64decode(text, validate=True), index.signed_bytes)
        except (InvalidSignature, binascii.Error, ValueError):
            continue
        return True
    return False


def _private_key(path: Path) -> "Ed25519PrivateKey":
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise MissingExtraError(package="cryptography", extra="sign") from error
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
    ) as error:  # TypeError: it has a pass phrase
        raise _no_key(path, "private") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def _public_key(path: Path) -> "Ed25519PublicKey":
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise MissingExtraError(package="cryptography", extra="sign") from error
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        told = error.strerror or str(error)
        expected = "a file with a key, which one may read"
        raise SettingsError(name=str(path), value=told, expected=expected) from error


def _no_key(path: Path, kind: str) -> SettingsError:
    expected = f"a {kind} key for Ed25519 in PEM, without a pass phrase, {HOW}"
    return SettingsError(name=str(path), value="something else", expected=expected)
