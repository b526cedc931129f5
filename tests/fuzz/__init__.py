"""Fuzz targets: parsers of bytes that come from elsewhere. See CONTRIBUTING.md."""
