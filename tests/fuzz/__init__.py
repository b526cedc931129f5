"""Fuzz targets: parsers of bytes that come from elsewhere. See docs/contributing.md."""
