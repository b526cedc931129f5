"""The hub, which resolves dataset names to files and tables and manages the cache."""
