"""From an address to the place that is a mirror."""

from dshub.errors import StoreError
from dshub.index import is_folder, to_folder
from dshub.mirror.bucket import BucketDestination
from dshub.mirror.destinations import Destination
from dshub.mirror.folder import FolderDestination


def open_destination(dest: str) -> Destination:
    """The place that a path, or an address such as `s3://bucket/mirror`, means.

    Raises:
        MissingExtraError: the extra `cloud` is not installed.
        StoreError: nothing can be written there.
    """
    if is_folder(dest):
        return FolderDestination(to_folder(dest))
    if dest.startswith(("http:", "https:")):
        raise StoreError(
            path=dest,
            action="write",
            reason="a web server only gives what it has",
            hint="name the folder that it serves, or a bucket (s3://…, gs://…)",
        )
    return BucketDestination(dest)
