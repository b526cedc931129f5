"""Import files that are already on this machine, recognized by checksum or structure."""
