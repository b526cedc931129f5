"""On-disk cache of verified files, unfinished downloads, prepared tables, records and locks."""
