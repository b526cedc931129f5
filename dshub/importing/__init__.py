"""Import files that are already on this machine, identified by checksums or file names."""
