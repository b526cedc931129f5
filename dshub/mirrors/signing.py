"""Sign indexes and check signatures with Ed25519 (RFC 8032).

Keys are PEM files. Create a pair with OpenSSL::

    openssl genpkey -algorithm ed25519 -out private.pem
    openssl pkey -in private.pem -pubout -out public.pem

A signature covers `Index.signed_bytes`. It is stored in `index.json`, in base64, so that entries
and signature are replaced in one write.
"""

import base64
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from dshub.errors import ChecksumError, MissingExtraError, SettingsError
from dshub.mirrors.index import Index

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RENEWAL = timedelta(days=1)  # age at which an unchanged index is signed again


class Signer:
    """Signer of indexes with a private key.

    Args:
        path: PEM file with an Ed25519 private key, without a passphrase.

    Raises:
        SettingsError: the file has no usable private key.
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._key = _load_key(path, "private")

    def sign(self, index: Index, *, before: Index | None = None) -> Index:
        """Return a copy of an index with a date, a serial and a signature by this key.

        Args:
            index: index to sign.
            before: current index of the mirror. It is returned unchanged if its entries are equal,
                this key signed it, and it is less than a day old.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        serial = int(now.strftime("%Y%m%d%H%M%S"))  # exceeds the serial of any removed index
        if before is not None and before.date is not None and self.has_signed(before):
            if index.body == before.body and before.date <= now < before.date + RENEWAL:
                return before
            serial = before.serial + 1
        index = msgspec.structs.replace(index, serial=serial, date=now)
        signature = base64.b64encode(self._key.sign(index.signed_bytes)).decode("ascii")
        return msgspec.structs.replace(index, signatures=(signature,))

    def has_signed(self, index: Index) -> bool:
        """Return True if an index has a valid signature by this key."""
        return _is_signed(index, self._key.public_key())


def check_signature(index: Index, keys: Sequence[Path], *, source: str) -> None:
    """Check that an index is signed by one of the keys; without keys, accept any index.

    Args:
        index: index to check.
        keys: paths of public keys.
        source: path or URL of the index, for error messages.

    Raises:
        ChecksumError: no key matches a signature.
        SettingsError: a key file has no public key.
        MissingExtraError: `cryptography` is not installed.
    """
    if not keys or any(_is_signed(index, _load_key(path, "public")) for path in keys):
        return
    raise ChecksumError(
        source=source,
        expected=f"a signature by {' or '.join(map(str, keys))}",
        actual="a signature by another key" if index.signatures else "no signature",
        hint="ask the maintainer of the mirror for the public key, and add it to DSHUB_MIRROR_KEYS",
    )


def _is_signed(index: Index, key: "Ed25519PublicKey") -> bool:
    from cryptography.exceptions import InvalidSignature

    for signature in index.signatures:
        with suppress(InvalidSignature, ValueError):
            key.verify(base64.b64decode(signature, validate=True), index.signed_bytes)
            return True
    return False


def _load_key(path: Path, kind: Literal["private", "public"]) -> Any:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingExtraError(package="cryptography", extra="sign") from error
    try:
        pem = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        expected = f"a readable file with a {kind} key"
        raise SettingsError(name=str(path), value=reason, expected=expected) from error
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: a passphrase is set
        options = {"password": None} if kind == "private" else {}
        key = getattr(serialization, f"load_pem_{kind}_key")(pem, **options)
        if isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
            return key
    raise SettingsError(
        name=str(path),
        value="no usable key",
        expected=f"an Ed25519 {kind} key in PEM without a passphrase, as made by "
        "`openssl genpkey -algorithm ed25519`",
    )
