"""Build, find and read the prepared tables on disk."""
