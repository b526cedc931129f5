"""How large an answer may be where the manifest does not know the size of the file.

No more is taken than half of what is free on the disk, so that a source without end, or a small
answer that decodes to a large one, cannot fill it; and no more than the `limits` of the resource
allow it to unpack to.
"""

from dshub.errors import TransportError
from dshub.manifest import Resource
from dshub.progress import size as shown
from dshub.store import Store


def most(resource: Resource, store: Store, *, here: int) -> int:
    """Bytes that a file has at most.

    Args:
        resource: the file.
        store: where it goes.
        here: bytes of it that are on the disk already.
    """
    if resource.size is not None:
        return resource.size
    allowed, free = resource.limits.unpacked, store.free()
    return allowed if free is None else min(allowed, here + free // 2)


def too_large(url: str, told: int | None, bound: int) -> TransportError:
    """What is wrong with a source whose answer is larger than that; None where it has no end."""
    has = "sends more than" if told is None else f"has {shown(told)}, more than"
    reason = f"it {has} {shown(bound)}: half of what is free, or the resource's limit"
    return TransportError(url=url, reason=reason)
