"""The cache: verified files, unfinished downloads, tables, notes and locks on disk."""
