"""Download files from several sources, with parallel connections, resuming and verification."""
