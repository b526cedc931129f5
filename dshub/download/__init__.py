"""Download files: sources in order, parallel spans, resuming, verification."""
