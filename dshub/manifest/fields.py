"""What every table of a manifest is: fields that are known, and no others."""

import msgspec


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a manifest: another field than its own is a fault, wherever it is read from."""
