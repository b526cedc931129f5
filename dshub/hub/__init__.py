"""The hub: from names to files and tables, and the state of the cache."""
