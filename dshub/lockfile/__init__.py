"""`dshub.lock`: which data a project means, written down so that a change is noticed.

It holds for each dataset its version, the digest of its manifest, the checksums of its files, and
the rows and the fingerprint of each split. It is TOML, a line for each file and each split, so
that a diff tells what has changed. `Lockfile` reads and writes it, and `dshub.lockfile.making`
makes the entries, which needs Arrow.
"""

from dshub.lockfile.model import NAME, Locked, LockedFile, LockedSplit, Lockfile, names_in, read

__all__ = ["NAME", "Locked", "LockedFile", "LockedSplit", "Lockfile", "names_in", "read"]
